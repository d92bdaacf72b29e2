import { afterEach, describe, expect, test } from 'vitest';
import { startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
afterEach(() => harness.stop());

describe('a failed request is described without values', () => {
  const logged = (error: unknown) => {
    harness = startHarness();
    harness.telemetry.events.requestFailed({ error, method: 'POST', route: '/v1/token' });
    return harness.lines()[0]?.['error'];
  };

  test('an error: name, code, stack and cause', () => {
    const cause = Object.assign(new TypeError('inner'), { code: 'E_INNER' });
    expect(logged(new Error('outer', { cause }))).toMatchObject({
      name: 'Error',
      stack: expect.stringContaining('outer'),
      cause: { name: 'TypeError', code: 'E_INNER' },
    });
  });

  test('a PostgreSQL error, also as a cause: code, severity and routine alone', () => {
    const postgres = Object.assign(new Error('Key (email)=(a@b.example) already exists'), {
      name: 'PostgresError',
      code: '23505',
      severity: 'ERROR',
      routine: '_bt_check_unique',
      detail: 'Key (email)=(a@b.example)',
    });
    const described = {
      name: 'PostgresError',
      code: '23505',
      severity: 'ERROR',
      routine: '_bt_check_unique',
    };
    expect(logged(postgres)).toEqual(described);
    expect(logged(new Error('failed', { cause: postgres }))).toMatchObject({ cause: described });
    expect(JSON.stringify(harness.lines())).not.toContain('a@b.example');
  });
});

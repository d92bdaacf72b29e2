import { afterEach, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { type AttemptKind, createAttempts } from '../../src/telemetry/attempts.ts';
import { changes, startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
afterEach(() => harness.stop());

const FAMILY = {
  authorize: 'grantex_authorize',
  token_exchange: 'grantex_token_exchange',
  token_refresh: 'grantex_token_refresh',
};

/** Attempts counted and durations recorded by one ended attempt, without the per-agent families. */
async function measure(kind: AttemptKind, status: number, code?: ErrorCode, agentId?: string) {
  harness = startHarness();
  let now = 1000;
  const attempts = createAttempts(harness.telemetry.instruments, () => now);
  const before = await harness.samples();
  const end = attempts.start(kind);
  now += 60;
  end({ status, code, agentId });
  end({ status: 201 });
  const changed = changes(before, await harness.samples());
  return Object.fromEntries(Object.entries(changed).filter(([series]) => !series.includes('_bucket')));
}

describe('what an ended attempt counts', () => {
  const kinds: AttemptKind[] = ['authorize', 'token_exchange', 'token_refresh'];
  const table: [
    status: number,
    code: ErrorCode | undefined,
    outcome: string | null,
    onlyAuthorize?: boolean,
  ][] = [
    [200, undefined, 'success'],
    [201, undefined, 'success'],
    [400, 'BAD_REQUEST', 'error'],
    [401, 'UNAUTHORIZED', null],
    [402, 'PLAN_LIMIT_EXCEEDED', 'error'],
    [403, 'POLICY_DENIED', 'denied', true],
    [403, 'FORBIDDEN', 'error'],
    [404, 'NOT_FOUND', 'error'],
    [410, 'GONE', 'error'],
    [429, 'RATE_LIMITED', null],
    [500, 'INTERNAL_ERROR', 'error'],
    [503, 'SERVICE_UNAVAILABLE', 'error'],
    [500, undefined, 'error'],
  ];
  for (const kind of kinds) {
    test.each(table)(`${kind} ended with %i %s counts %s`, async (status, code, outcome, onlyAuthorize) => {
      const family = FAMILY[kind];
      const expected = onlyAuthorize && kind !== 'authorize' ? 'error' : outcome;
      const changed = await measure(kind, status, code);
      const own = Object.entries(changed).filter(([series]) => !series.startsWith('grantex_agent_'));
      expect(Object.fromEntries(own)).toEqual(
        expected === null
          ? {}
          : {
              [`${family}_total{status="${expected}"}`]: 1,
              ...(kind !== 'token_refresh' && {
                [`${family}_duration_seconds_count`]: 1,
                [`${family}_duration_seconds_sum`]: 0.06,
              }),
            },
      );
    });
  }
});

test('an agent is counted in its own series and in the family, an attempt without one in "other"', async () => {
  const known = await measure('authorize', 201, undefined, 'ag_1');
  expect(known['grantex_agent_authorize_total{status="success",agent_id="ag_1"}']).toBe(1);
  expect(known['grantex_agent_authorize_duration_seconds_count{agent_id="ag_1"}']).toBe(1);
  await harness.stop();
  const unknown = await measure('token_exchange', 400, 'BAD_REQUEST');
  expect(unknown['grantex_agent_token_exchange_total{status="error",agent_id="other"}']).toBe(1);
});

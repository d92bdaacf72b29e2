import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { RETENTION_TABLES } from '../../src/label-values.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { startService, waitFor } from '../support/service.ts';
import { startHarness } from '../telemetry/harness.ts';
import { age } from './age.ts';

const REMOVED = 'grantex_retention_removed_total';
const OLDEST = 'grantex_retention_oldest_seconds';
const DAY = 24;

describe('events', () => {
  let harness: ReturnType<typeof startHarness>;
  afterEach(() => harness.stop());

  test('removed rows are counted by table, all tables begin with 0, and there is no line', async () => {
    harness = startHarness();
    const series = async () =>
      [...(await harness.samples())].filter(([name]) => name.startsWith(REMOVED)).map(([, value]) => value);
    expect(await series()).toEqual(RETENTION_TABLES.map(() => 0));
    harness.telemetry.events.rowsRemoved({ table: 'tokens', rows: 500 });
    expect((await harness.samples()).get(`${REMOVED}{table="tokens"}`)).toBe(500);
    expect(harness.lines()).toEqual([]);
  });

  test('a failed step is a line', () => {
    harness = startHarness();
    harness.telemetry.events.retentionFailed({ step: 'grants', error: 'gone' });
    expect(harness.lines()).toEqual([
      expect.objectContaining({ level: 'warn', msg: 'retention.failed', step: 'grants' }),
    ]);
  });
});

test('the service removes by itself, from its start on: it tells how far it is behind, what went, and that nothing is due', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const { sql } = database;
  await sql`update retention_turn set holder = 'test', held_until = 'infinity'`;
  const first = await startService({ database });
  onTestFinished(() => void first.process.kill('SIGKILL'));
  const party = await newParty(first);
  await party.grant({ expiresIn: '1h' });
  await age(sql, 31 * DAY);
  const behind = await waitFor(async () => {
    const scrape = await first.scrape();
    return (scrape.value(OLDEST, { table: 'tokens' }) ?? 0) > 0 ? scrape : undefined;
  });
  // It expired an hour after it was made.
  expect(behind.value(OLDEST, { table: 'tokens' })).toBeGreaterThan(22.9 * 3600);
  expect(behind.value(OLDEST, { table: 'tokens' })).toBeLessThan(24 * 3600);
  expect(behind.value(OLDEST, { table: 'refresh_tokens' })).toBeGreaterThan(22.9 * 3600);
  expect(behind.value(OLDEST, { table: 'grants' })).toBe(0);
  expect(behind.labelSets(REMOVED)).toHaveLength(RETENTION_TABLES.length);
  expect(behind.sum(REMOVED)).toBe(0);
  await expectReconciled(first);
  expect(await first.stop()).toBe(0);

  await sql`update retention_turn set held_until = now()`;
  const second = await startService({ database });
  onTestFinished(() => void second.process.kill('SIGKILL'));
  const done = await waitFor(async () => {
    const scrape = await second.scrape();
    const settled = scrape.sum(REMOVED) === 3 && scrape.sum(OLDEST) === 0;
    return settled ? scrape : undefined;
  });
  for (const table of ['authorization_requests', 'tokens', 'refresh_tokens'])
    expect(done.value(REMOVED, { table })).toBe(1);
  expect(done.labelSets(OLDEST)).toHaveLength(RETENTION_TABLES.length);
  expect(await second.stop()).toBe(0);
  // The turn is given back, so that another replica need not wait.
  const [turn] = await sql`select held_until <= now() as free from retention_turn`;
  expect(turn?.['free']).toBe(true);
});

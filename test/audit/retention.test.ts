import { afterAll, beforeAll, expect, test } from 'vitest';
import { movePrefixes, oldestRemovable, removeAuditEntries } from '../../src/retention/audit-store.ts';
import { type Chains, openChains } from './chain-of.ts';

let chains: Chains;
beforeAll(async () => {
  chains = await openChains();
});
afterAll(() => chains.close());

const at = (minute: number) => new Date(Date.parse('2026-03-01T10:00:00.000Z') + minute * 60_000);
const left = async (developerId: string) => {
  const rows = await chains.database
    .sql`select id from audit_entries where developer_id = ${developerId} order by seq`;
  return rows.map(({ id }) => id);
};
const removeAll = async () => {
  let removed = 0;
  for (let found = true; found; ) {
    const step = await removeAuditEntries(chains.db, 2);
    removed += step.removed;
    ({ found } = step);
  }
  return removed;
};

/** Checkpoints are at 1, 3, 5 and 6. */
const MINUTES = [0, 1, 60, 61, 120, 121, 180];
const valid = { valid: true, firstBrokenAt: null, reason: null };

test('only what a checkpoint is above goes, and the rest verifies: before, during and after', async () => {
  const { developerId, ids } = await chains.chain(MINUTES);
  expect(await oldestRemovable(chains.db)).toEqual(at(1));
  // The third entry is old enough too, but the checkpoint of its hour is not.
  expect(await movePrefixes(chains.db, { before: at(61), limit: 100 })).toBe(false);
  expect(await chains.verify(developerId)).toMatchObject({
    ...valid,
    checkedEntries: 7,
    checkedCheckpoints: 4,
  });
  expect(await removeAuditEntries(chains.db, 1)).toEqual({ removed: 1, found: true });
  expect(await oldestRemovable(chains.db)).toEqual(at(1));
  expect(await chains.verify(developerId)).toMatchObject({
    ...valid,
    checkedEntries: 6,
    checkedCheckpoints: 4,
  });
  expect(await removeAll()).toBe(1);
  expect(await left(developerId)).toEqual(ids.slice(2));
  expect(await oldestRemovable(chains.db)).toEqual(at(61));
  expect(await chains.verify(developerId)).toMatchObject({
    ...valid,
    checkedEntries: 5,
    checkedCheckpoints: 3,
  });
  const [prefix] = await chains.database.sql`
    select hash, removed::int, pending from audit_prefixes where developer_id = ${developerId}`;
  expect(prefix).toEqual({ hash: expect.stringMatching(/^[0-9a-f]{64}$/), removed: 2, pending: false });

  // Everything, and the checkpoints below the last one.
  await movePrefixes(chains.db, { before: at(181), limit: 100 });
  expect(await removeAll()).toBe(5);
  expect([await left(developerId), await oldestRemovable(chains.db)]).toEqual([[], null]);
  const rest = await chains.database.sql`
    select entry_id, is_prefix from audit_checkpoints where developer_id = ${developerId}`;
  expect([...rest]).toEqual([{ entry_id: ids[6], is_prefix: true }]);
  expect(await chains.verify(developerId)).toMatchObject({ ...valid, checkedEntries: 0, head: null });
  await chains.append(developerId);
  expect(await chains.verify(developerId)).toMatchObject({ ...valid, checkedEntries: 1 });
});

test('a cut that no checkpoint is above is found', async () => {
  const { developerId, ids } = await chains.chain(MINUTES);
  const { sql } = chains.database;
  await sql`delete from audit_entries where id = any(${ids.slice(0, 3)})`;
  await sql`insert into audit_prefixes (developer_id, hash, created_at, removed, seq)
    select developer_id, prev_hash, created_at, 3, seq - 1 from audit_entries where id = ${ids[3] ?? ''}`;
  expect(await chains.verify(developerId)).toMatchObject({
    valid: false,
    firstBrokenAt: ids[3],
    reason: 'link',
  });
  // As if an older release had removed it. The second hash of the first entry that is left follows one that is not there.
  await sql`update audit_prefixes set seq = 0 where developer_id = ${developerId}`;
  expect(await chains.verify(developerId)).toMatchObject({
    valid: false,
    firstBrokenAt: ids[3],
    reason: 'content',
  });
});

test('an entry that somebody puts into the removed part is found', async () => {
  const { developerId, ids } = await chains.chain(MINUTES);
  await movePrefixes(chains.db, { before: at(2), limit: 100 });
  await removeAll();
  await chains.database
    .sql`insert into audit_entries (seq, id, developer_id, agent_id, agent_did, grant_id, principal_id,
      action, status, metadata, created_at, hash, prev_hash) overriding system value
    select seq - 100, 'alog_x', developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, 'h', 'p' from audit_entries where id = ${ids[2] ?? ''}`;
  expect(await chains.verify(developerId)).toMatchObject({ valid: false, firstBrokenAt: 'alog_x' });
});

test('an older release that still runs cuts nothing', async () => {
  const { developerId } = await chains.chain([0]);
  const cut = chains.database.sql`insert into audit_prefixes (developer_id, hash, created_at, removed)
    values (${developerId}, 'h', now(), 1)`;
  await expect(cut).rejects.toMatchObject({ code: '23502' });
});

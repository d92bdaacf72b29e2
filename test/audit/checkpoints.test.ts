import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCheckpoints } from '../../src/audit/make-checkpoints.ts';
import { createTokenReader } from '../../src/grant-token/read-grant-token.ts';
import { type Chains, ISSUER, newKeyRing, openChains } from './chain-of.ts';

let chains: Chains;
beforeAll(async () => {
  chains = await openChains();
  // So that the numbers of the first chain do not have the same length.
  await chains.database.sql`alter sequence audit_entries_seq_seq restart with 9`;
});
afterAll(() => chains.close());

const stored = (developerId: string) => chains.database.sql`
  select seq::int, entry_id, hash, row_hash, entry_at, made_at, kid, jws from audit_checkpoints
  where developer_id = ${developerId} order by audit_checkpoints.seq`;
const dueOf = async (developerId: string): Promise<Date | null> => {
  const [head] = await chains.database.sql`
    select checkpoint_due from audit_heads where developer_id = ${developerId}`;
  return head?.['checkpoint_due'];
};

test('each hour with entries gets one, of its last entry, once it has ended', async () => {
  // Hours 10, 11 and 14; nothing in 12 and 13.
  const { developerId, ids } = await chains.chain([0, 59, 60, 61, 240]);
  expect((await stored(developerId)).map(({ entry_id }) => entry_id)).toEqual([ids[1], ids[3], ids[4]]);
  expect(await dueOf(developerId)).toBeNull();
  // Background work adds no entry, and nothing is signed twice.
  await chains.makeCheckpoints();
  expect(await stored(developerId)).toHaveLength(3);
  const [{ entries = 0 } = {}] = await chains.database.sql`
    select count(*)::int as entries from audit_entries where developer_id = ${developerId}`;
  expect(entries).toBe(5);
});

test('an hour that has not ended is not signed, and an entry of an hour that was signed is signed later', async () => {
  const { developerId } = await chains.chain([0]);
  chains.now += 1;
  const late = await chains.append(developerId);
  const due = await dueOf(developerId);
  expect(due?.getTime()).toBe(Math.ceil(chains.now / 3_600_000) * 3_600_000);
  await chains.makeCheckpoints();
  expect(await stored(developerId)).toHaveLength(1);
  chains.now = due?.getTime() ?? 0;
  await chains.makeCheckpoints();
  expect((await stored(developerId)).at(-1)?.['entry_id']).toBe(late);
});

test('the signature says what is stored, and is of a type of its own', async () => {
  const { developerId, ids } = await chains.chain([0, 1]);
  const [row] = await stored(developerId);
  const [jwk] = chains.keys.published();
  if (!row || !jwk) throw new Error('no checkpoint');
  const { payload, protectedHeader } = await compactVerify(row['jws'], await importJWK(jwk, jwk.alg));
  expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'audit-checkpoint+jwt', kid: 'first' });
  expect(JSON.parse(new TextDecoder().decode(payload))).toEqual({
    iss: ISSUER,
    iat: Math.floor(row['made_at'].getTime() / 1000),
    developerId,
    seq: row['seq'],
    entryId: ids[1],
    hash: row['hash'],
    rowHash: row['row_hash'],
    timestamp: row['entry_at'].toISOString(),
  });
  expect(row['row_hash']).toMatch(/^[0-9a-f]{64}$/);
  const read = createTokenReader({
    keys: chains.keys,
    issuer: () => ISSUER,
    clock: { now: () => chains.now },
  });
  expect(await read(row['jws'])).toEqual({ valid: false, reason: 'malformed' });
});

test('two replicas that look at once make each checkpoint once', async () => {
  const { developerId } = await chains.chain([]);
  for (let hour = 0; hour < 5; hour++) {
    chains.now += 3_600_000;
    await chains.append(developerId);
  }
  chains.now += 3_600_000;
  const deps = {
    db: chains.db,
    clock: { now: () => chains.now },
    keys: chains.keys,
    issuer: () => ISSUER,
  };
  const errors: unknown[] = [];
  const replica = async () => {
    while (await makeCheckpoints(deps, (error) => errors.push(error)));
  };
  await Promise.all([replica(), replica()]);
  expect(errors).toEqual([]);
  expect(await stored(developerId)).toHaveLength(5);
});

test('a chain that fails does not hold up the others, and is tried again', async () => {
  const broken = await chains.chain([]);
  const other = await chains.chain([]);
  await chains.append(broken.developerId);
  await chains.append(other.developerId);
  chains.now += 3_600_000;
  await chains.database.sql.unsafe(
    `alter table audit_checkpoints add constraint none check (developer_id <> '${broken.developerId}') not valid`,
  );
  const errors: unknown[] = [];
  const deps = {
    db: chains.db,
    clock: { now: () => chains.now },
    keys: chains.keys,
    issuer: () => ISSUER,
  };
  expect(await makeCheckpoints(deps, (error) => errors.push(error))).toBe(true);
  expect([errors.length, (await stored(other.developerId)).length]).toEqual([1, 1]);
  await chains.database.sql`alter table audit_checkpoints drop constraint none`;
  await chains.makeCheckpoints();
  expect(await stored(broken.developerId)).toHaveLength(1);
});

test('a chain of an older release is signed as it is, and verifies', async () => {
  const { developerId, ids } = await chains.chain([]);
  for (let n = 0; n < 3; n++) ids.push(await chains.append(developerId));
  await chains.database.sql`update audit_entries set row_hash = null where developer_id = ${developerId}`;
  await chains.database.sql`update audit_heads set row_hash = null, covered_hash = null, last_at = null,
    checkpoint_due = ${new Date(chains.now + 1)} where developer_id = ${developerId}`;
  chains.now += 3_600_000;
  await chains.makeCheckpoints();
  expect(await stored(developerId)).toMatchObject([{ entry_id: ids[2], row_hash: null }]);
  await chains.append(developerId);
  expect(await chains.verify(developerId)).toMatchObject({
    valid: true,
    checkedEntries: 4,
    checkedCheckpoints: 1,
  });
});

test('a checkpoint of a key that is retired, and left the file, verifies; one of an unknown key does not', async () => {
  const { developerId, ids } = await chains.chain([0]);
  const before = chains.keys;
  chains.keys = await newKeyRing('second');
  chains.now += 3_600_000;
  await chains.append(developerId);
  chains.now += 3_600_000;
  await chains.makeCheckpoints();
  const kids = (await stored(developerId)).map(({ jws }) => decodeProtectedHeader(jws).kid);
  expect(kids).toEqual(['first', 'second']);
  expect(await chains.verify(developerId)).toMatchObject({ valid: true, checkedCheckpoints: 2 });
  await chains.database.sql`delete from audit_checkpoint_keys where kid = 'first'`;
  expect(await chains.verify(developerId)).toMatchObject({ valid: false, firstBrokenAt: ids[0] });
  chains.keys = before;
});

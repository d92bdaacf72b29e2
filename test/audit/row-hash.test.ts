import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let database: TestDatabase;
let services: [TestService, TestService];
beforeAll(async () => {
  database = await createTestDatabase();
  services = await Promise.all([startService({ database }), startService({ database })]);
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
});

async function newWriter() {
  const party = await newParty(services[0]);
  const { grantId } = await party.grant();
  const log = async (fields: object = {}, n = 0) => {
    const body = { agentId: party.agentId, grantId, action: 'mail.sent', ...fields };
    const answer = await services[n % 2 === 0 ? 0 : 1].request('POST', '/v1/audit/log', {
      key: party.key,
      body,
    });
    expect(answer.status).toBe(201);
    return answer.body;
  };
  return { party, log };
}

const stored = ({ developerId }: Party) =>
  database.sql`select *, seq::text from audit_entries where developer_id = ${developerId} order by audit_entries.seq`;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('the second hash is SHA-256 over all that is stored, linked to the one before, computed here without our code', async () => {
  const { party, log } = await newWriter();
  await log({ agentDid: 'did:web:a', principalId: 'p1', metadata: { z: 1, a: ['é'] } });
  await log({ status: 'failure' });
  let previous: string | null = null;
  const rows = await stored(party);
  expect(rows.map(({ principal_id }) => principal_id)).toEqual(['p1', 'user_1']);
  for (const row of rows) {
    const members = {
      action: row['action'],
      agentDid: row['agent_did'],
      agentId: row['agent_id'],
      developerId: row['developer_id'],
      entryId: row['id'],
      grantId: row['grant_id'],
      hash: row['hash'],
      metadata: row['metadata'].z ? { a: ['é'], z: 1 } : {},
      prevHash: row['prev_hash'],
      prevRowHash: previous,
      principalId: row['principal_id'],
      seq: Number(row['seq']),
      status: row['status'],
      timestamp: row['created_at'].toISOString(),
    };
    expect(row['row_hash']).toBe(sha256(JSON.stringify(members)));
    previous = row['row_hash'];
  }
});

test('an entry that an older release wrote has none, and the next one covers it by its link', async () => {
  const { party, log } = await newWriter();
  await log();
  const older = await log();
  // An older release moves only the hash of the head.
  await database.sql`update audit_entries set row_hash = null where id = ${older.entryId}`;
  await database.sql`update audit_heads set covered_hash = 'of an earlier one' where developer_id = ${party.developerId}`;
  const [, , first] = await log().then(() => stored(party));
  const second = await log().then(async () => (await stored(party))[3]);
  expect([first?.['prev_hash'], first?.['row_hash'], second?.['row_hash']]).toEqual([
    older.hash,
    expect.stringMatching(/^[0-9a-f]{64}$/),
    expect.stringMatching(/^[0-9a-f]{64}$/),
  ]);
});

test('numbers grow along the links, whoever writes', async () => {
  const { party, log } = await newWriter();
  const { log: logOfAnother } = await newWriter();
  await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 5 === 0 ? logOfAnother({}, n) : log({}, n))));
  const rows = await stored(party);
  expect(rows).toHaveLength(32);
  expect(rows.map((row) => row['prev_hash'])).toEqual([null, ...rows.slice(0, -1).map((row) => row['hash'])]);
});

test('the time never goes back: neither behind a head whose clock was ahead, nor behind an entry of an older release', async () => {
  const { party, log } = await newWriter();
  await log();
  const ahead = new Date(Date.now() + 3_600_000);
  await database.sql`update audit_heads set last_at = ${ahead} where developer_id = ${party.developerId}`;
  expect((await log({}, 1)).timestamp).toBe(ahead.toISOString());
  const later = new Date(ahead.getTime() + 60_000);
  await database.sql`update audit_entries set created_at = ${later} where developer_id = ${party.developerId}`;
  await database.sql`update audit_heads set covered_hash = null, last_at = null where developer_id = ${party.developerId}`;
  const burst = await Promise.all(Array.from({ length: 8 }, (_, n) => log({}, n)));
  expect(new Set(burst.map(({ timestamp }) => timestamp))).toEqual(new Set([later.toISOString()]));
  expect(burst.every(({ entryId }) => entryId.startsWith('alog_'))).toBe(true);
});

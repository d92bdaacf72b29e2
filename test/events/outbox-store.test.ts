import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  ANY_ENQUEUED,
  deliveriesOfIssuance,
  deliveriesOfRevocation,
  type Issuance,
} from '../../src/events/outbox-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const SEED = 'tok_01JZZZZZZZ0000000000000000';
const NOW = "timestamptz '2026-03-01T10:00:00.120Z'";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_1', 'D', 'live', 'a', now()), ('dev_2', 'D', 'live', 'b', now())`;
  const webhooks = [
    ['wh_all', 'dev_1', ['grant.created', 'grant.revoked', 'token.issued']],
    ['wh_tokens', 'dev_1', ['token.issued']],
    ['wh_other', 'dev_2', ['grant.created', 'grant.revoked', 'token.issued']],
  ] as const;
  for (const [id, developer, events] of webhooks)
    await sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
      values (${id}, ${developer}, 'https://example.com', ${[...events]}, 's', now())`;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql`truncate webhook_deliveries`;
});

/** Runs the expressions on rows of its own, and returns whether there is anything to deliver. */
async function run(fragments: string): Promise<unknown> {
  const [row] = await database.sql.unsafe(`with ${fragments} select ${ANY_ENQUEUED} as enqueued`);
  return row?.['enqueued'];
}
const stored = () => database.sql`
  select webhook_id, event_type, agent_id, data, traceparent, max_attempts, created_at, queued
  from webhook_deliveries order by webhook_id, event_type, data::text`;

const ISSUED: Issuance = {
  grantId: 'source.grant',
  developerId: "'dev_1'::text",
  agentId: "'ag_1'::text",
  principalId: "'user_1'::text",
  scopes: "array['a', 'b']",
  expiresAt: "timestamptz '2026-04-01T00:00:00Z'",
  tokenExpiresAt: "timestamptz '2026-03-02T10:00:00Z'",
  isNew: 'source.fresh',
  delegationDepth: '0',
  parentGrantId: 'null::text',
  jti: 'source.jti',
  now: NOW,
  traceparent: "'00-trace'::text",
  maxAttempts: '5',
  from: `(values ('grnt_1', '${SEED}', true)) as source ("grant", jti, fresh)`,
};
const issued = (changed: Partial<Issuance>) => run(deliveriesOfIssuance({ ...ISSUED, ...changed }));
const GRANT = {
  grantId: 'grnt_1',
  agentId: 'ag_1',
  principalId: 'user_1',
  scopes: ['a', 'b'],
  expiresAt: '2026-04-01T00:00:00.000Z',
};
const TOKEN_EXPIRES_AT = '2026-03-02T10:00:00.000Z';
const common = {
  agent_id: 'ag_1',
  traceparent: '00-trace',
  max_attempts: 5,
  created_at: new Date('2026-03-01T10:00:00.120Z'),
  queued: false,
};

test('a new grant and its token are told to each webhook of the developer that asked for them', async () => {
  expect(await issued({})).toBe(true);
  const token = {
    ...common,
    event_type: 'token.issued',
    data: { tokenId: SEED, ...GRANT, expiresAt: TOKEN_EXPIRES_AT },
  };
  expect(await stored()).toEqual([
    {
      ...common,
      webhook_id: 'wh_all',
      event_type: 'grant.created',
      data: { ...GRANT, delegationDepth: 0 },
    },
    { ...token, webhook_id: 'wh_all' },
    { ...token, webhook_id: 'wh_tokens' },
  ]);
});

test('a delegation names its parent, and a grant that is not new is not told again', async () => {
  await issued({ parentGrantId: "'grnt_0'::text", delegationDepth: '1' });
  expect((await stored())[0]?.['data']).toEqual({ ...GRANT, delegationDepth: 1, parentGrantId: 'grnt_0' });
  await database.sql`truncate webhook_deliveries`;
  await issued({ isNew: 'false' });
  expect((await stored()).map(({ event_type }) => event_type)).toEqual(['token.issued', 'token.issued']);
});

test('one event has one id for all webhooks, and a delivery for each', async () => {
  await issued({ isNew: 'false' });
  const [row] = await database.sql`
    select count(distinct event_id)::int as events, count(distinct id)::int as deliveries,
      bool_and(event_id like 'evt_01JZZZZZZZ%') as timed from webhook_deliveries`;
  expect(row).toEqual({ events: 1, deliveries: 2, timed: true });
});

test('nothing is told where nothing was issued, or nobody listens', async () => {
  expect(await issued({ from: `(select '' as "grant", '' as jti, true as fresh limit 0) as source` })).toBe(
    false,
  );
  expect(await issued({ developerId: "'dev_3'::text" })).toBe(false);
  expect(await stored()).toEqual([]);
});

test('grants that fall together say so', async () => {
  const enqueued =
    await run(`gone (id, parent) as (values ('grnt_1', null), ('grnt_2', 'grnt_1'), ('grnt_3', 'grnt_0')),
    ${deliveriesOfRevocation({
      id: 'id',
      developerId: "'dev_1'::text",
      agentId: "'ag_1'::text",
      parentGrantId: 'parent',
      seed: `'${SEED}'::text`,
      now: NOW,
      traceparent: 'null::text',
      maxAttempts: '3',
      from: 'gone',
    })}`);
  expect(enqueued).toBe(true);
  const rows = await stored();
  expect(rows.map(({ webhook_id, data }) => [webhook_id, data])).toEqual([
    ['wh_all', { grantId: 'grnt_1', cascade: true }],
    ['wh_all', { grantId: 'grnt_2', cascade: true }],
    ['wh_all', { grantId: 'grnt_3', cascade: false }],
  ]);
  expect(rows[0]).toMatchObject({ event_type: 'grant.revoked', traceparent: null, max_attempts: 3 });
});

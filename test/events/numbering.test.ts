import type postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { eventsAfter, placeOf } from '../../src/events/event-store.ts';
import { EVENT_TYPES, type EventType } from '../../src/events/event-types.ts';
import {
  follow48Hours,
  forgetOldEvents,
  lookAtEvents,
  numberEvents,
  renewFollowers,
} from '../../src/events/numbering-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openTestDatabase(database, () => undefined);
  for (const id of ['dev', 'other'])
    await database.sql`insert into developers (id, name, mode, api_key_hash, created_at)
      values (${id}, 'D', 'live', ${id}, now())`;
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});
beforeEach(async () => {
  await database.sql`truncate events, event_outbox, removed_events, event_followers`;
});

const tell = (sql: postgres.ISql, id: string, type: EventType = 'token.issued', developerId = 'dev') => sql`
  insert into event_outbox (developer_id, event_id, type, data, created_at)
  values (${developerId}, ${id}, ${type}, '{"n": 1}', now())`;
const number = () => db.background.transaction((tx) => numberEvents(tx, 1000));
const position = async () => (await lookAtEvents(db)).lastSeq;
const idsAfter = async (after: number, developerId = 'dev') =>
  (await eventsAfter(db, { developerId, after, limit: 100 })).events.map(({ id }) => id);
const place = (id: string, types: readonly EventType[] = EVENT_TYPES, developerId = 'dev') =>
  placeOf(db, { developerId, id, types });
/** As if the events had been written a while ago. */
const age = (ids: string[], hours: number) => database.sql`
  update events set written_at = clock_timestamp() - make_interval(hours => ${hours}) where event_id = any(${ids})`;
const followers = async () =>
  (await database.sql`select developer_id as id from event_followers order by 1`).map(({ id }) => id);

test('a transaction that began first and commits last is numbered above what readers have passed', async () => {
  const slow = await database.sql.reserve();
  await slow`begin`;
  await tell(slow, 'evt_late');
  await tell(database.sql, 'evt_early');
  const begun = await position();
  expect(await lookAtEvents(db)).toEqual({ lastSeq: begun, waitingSeconds: expect.any(Number) });
  await number();
  expect(await idsAfter(begun)).toEqual(['evt_early']);
  const passed = await position();
  await slow`commit`;
  slow.release();
  await number();
  expect(await idsAfter(passed)).toEqual(['evt_late']);
  expect(await lookAtEvents(db)).toEqual({ lastSeq: passed + 1, waitingSeconds: null });
});

test('while one replica numbers, another one does not wait, and numbers nothing', async () => {
  await tell(database.sql, 'evt_1');
  const begun = await position();
  const other = await database.sql.reserve();
  await other`begin`;
  await other`select from feed_positions where feed = 'events' for update`;
  expect(await number()).toBe(false);
  expect(await position()).toBe(begun);
  await other`rollback`;
  other.release();
  await number();
  expect(await idsAfter(begun)).toEqual(['evt_1']);
});

test('events go after 24 hours, and who has the last one that went has missed nothing', async () => {
  await follow48Hours(db, 'dev');
  for (const id of ['evt_1', 'evt_2', 'evt_3']) await tell(database.sql, id);
  await number();
  await age(['evt_1', 'evt_2'], 25);
  await age(['evt_3'], 23);
  const [third] = (await eventsAfter(db, { developerId: 'dev', after: 0, limit: 100 })).events.slice(2);
  const before = { second: await place('evt_2') };
  expect(await forgetOldEvents(db, 1000)).toBe(2);
  expect(await idsAfter(0)).toEqual(['evt_3']);
  expect(await place('evt_1')).toBeNull();
  expect(await place('evt_2')).toBe(before.second);
  expect(await place('evt_3')).toBe(third?.seq);
  expect(await forgetOldEvents(db, 1000)).toBe(0);
});

test('a reader of one type goes on though events of other types have gone since', async () => {
  await follow48Hours(db, 'dev');
  await tell(database.sql, 'evt_revoked', 'grant.revoked');
  for (const id of ['evt_token1', 'evt_token2']) await tell(database.sql, id);
  await number();
  await age(['evt_revoked', 'evt_token1', 'evt_token2'], 25);
  await forgetOldEvents(db, 1000);
  expect(await place('evt_revoked', ['grant.revoked'])).toEqual(expect.any(Number));
  expect(await place('evt_revoked', ['grant.created', 'grant.revoked'])).toEqual(expect.any(Number));
  expect(await place('evt_revoked', ['grant.revoked', 'token.issued'])).toBeNull();
  expect(await place('evt_token1', ['token.issued'])).toBeNull();
  expect(await place('evt_token2')).toEqual(expect.any(Number));
  expect(await place('evt_token2', EVENT_TYPES, 'other')).toBeNull();
});

test('48 hours after its last stream a developer is followed no longer, and nobody goes on over the gap', async () => {
  for (const id of ['dev', 'other']) await follow48Hours(db, id);
  await tell(database.sql, 'evt_before');
  await number();
  await database.sql`update event_followers set until = clock_timestamp() + interval '1 minute'`;
  await renewFollowers(db, ['other']);
  await database.sql`update event_followers set until = until - interval '2 minutes'`;
  await renewFollowers(db, []);
  expect(await followers()).toEqual(['other']);
  await follow48Hours(db, 'dev');
  await tell(database.sql, 'evt_after');
  await number();
  expect(await place('evt_before')).toBeNull();
  expect(await place('evt_after')).toEqual(expect.any(Number));
});

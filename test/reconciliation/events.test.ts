import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareEvents } from '../../src/reconciliation/events-store.ts';
import { eventsOnce, openEvents } from '../events/follow.ts';
import { npmRun } from '../support/command.ts';
import { newParty } from '../support/flow.ts';
import { queryableOf } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const reconcile = () =>
  npmRun('reconcile', ['--scrape', `${service.url}/metrics`], { DATABASE_URL: service.database.url });
const NONE = { waiting: 0, missing: 0, surplus: 0, rowless: 0 };
const settled = () =>
  waitFor(async () => {
    const all = await compareEvents(queryableOf(service.database));
    return all.every(({ waiting }) => waiting === 0) ? all : undefined;
  });

test('events of a developer that follows are compared with its grants, and a lost one is a difference', async () => {
  const { sql } = service.database;
  const [party, stranger] = [await newParty(service), await newParty(service)];
  const stream = await openEvents(service, party);
  await party.grant();
  await eventsOnce(stream, 2);
  // Comparing begins a minute after the oldest event.
  await sql`update events set created_at = created_at - interval '2 minutes'`;
  expect(await settled()).toMatchObject([{ rows: 1, told: 0, missing: 1 }, { rows: 0 }]);
  await sql`update grants set issued_at = issued_at - interval '2 minutes'`;

  const root = await party.grant();
  await party.delegate(root.grantToken);
  await stranger.grant();
  await service.request('DELETE', `/v1/grants/${root.grantId}`, { key: party.key });
  await eventsOnce(stream, 8);
  stream.close();
  expect(await settled()).toEqual([
    { what: 'events, new grants', rows: 2, told: 2, ...NONE },
    { what: 'events, revoked grants', rows: 2, told: 2, ...NONE },
  ]);

  await sql`delete from events where type = 'grant.revoked' and data ->> 'grantId' = ${root.grantId}`;
  const lost = await reconcile();
  expect(lost.stdout).toMatch(
    /^\| events, revoked grants +\| 1 +\| 2 +\| 0 +\| differs: 1 without an entry \|$/m,
  );
  expect(lost.stdout).toMatch(/^differs: events, revoked grants$/m);
  expect(lost.code).toBe(1);
});

test('an event of a grant that is not revoked is told in error', async () => {
  const { sql } = service.database;
  await sql`insert into events (seq, developer_id, event_id, type, data, created_at, written_at)
    select 1000000, developer_id, 'evt_x', 'grant.revoked', json_build_object('grantId', id), now(), now()
    from grants where status = 'active' and developer_id in (select developer_id from event_followers)`;
  expect((await compareEvents(queryableOf(service.database)))[1]).toMatchObject({ missing: 1, surplus: 1 });
});

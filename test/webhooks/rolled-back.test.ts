import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { HOOK_ENV, hook } from './hooks.ts';
import { type Receiver, startReceiver } from './receiver.ts';

let service: TestService;
let receiver: Receiver;
let party: Party;
beforeAll(async () => {
  service = await startService({ env: HOOK_ENV });
  receiver = await startReceiver();
  party = await newParty(service);
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const rows = async (): Promise<number> => {
  const [row] = await service.database.sql`select count(*)::int as rows from webhook_deliveries`;
  return row?.['rows'];
};
const exchange = (code: string) =>
  service.request('POST', '/v1/token', { key: party.key, body: { code, agentId: party.agentId } });

test('what was refused or rolled back is never told, what was committed is', async () => {
  await hook(service, party, receiver.url);
  const code = await party.consent();
  expect((await exchange('code_unknown')).status).toBe(400);
  expect(await rows()).toBe(0);

  // Deferred to the commit: by then the statement has written the grant, its tokens and the deliveries.
  const { sql } = service.database;
  await sql.unsafe(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
    create constraint trigger refusal after insert on webhook_deliveries deferrable initially deferred
      for each row execute function refuse()`);
  expect((await exchange(code)).status).toBe(500);
  const [grants] = await sql`select count(*)::int as grants from grants`;
  expect([grants?.['grants'], await rows()]).toEqual([0, 0]);

  await sql.unsafe('drop trigger refusal on webhook_deliveries');
  const { grantId } = await party.exchange(code);
  const told = await receiver.until(2);
  expect(told.map(({ body }) => [body.type, body.data.grantId]).sort()).toEqual([
    ['grant.created', grantId],
    ['token.issued', grantId],
  ]);
  expect(await rows()).toBe(2);
  expect(receiver.received).toHaveLength(2);
});

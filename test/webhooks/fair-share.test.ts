import { expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { deliveriesOnce, ended, HOOK_ENV, hook } from './hooks.ts';
import { startReceiver } from './receiver.ts';
import { party, receiver, service, withReceiver } from './with-receiver.ts';

// Nothing that hangs gives its place back while the test runs.
withReceiver({ ...HOOK_ENV, WEBHOOK_TIMEOUT_MS: '60000' });

const MOST_WEBHOOKS = 20;
const MOST_ATTEMPTS_OF_ONE = 10;
const GRANTS = 26;

test('a receiver that hangs delays no other of its developer, and has ten attempts at once at most', async () => {
  receiver.behave(() => undefined);
  await hook(service, party, receiver.url, ['grant.created']);
  const quick = await startReceiver();
  const registered = await hook(service, party, quick.url, ['grant.created']);
  const codes = await Promise.all(Array.from({ length: 40 }, () => party.consent()));
  await Promise.all(codes.map((code) => party.exchange(code)));
  const rows = await deliveriesOnce(service, party, registered, ended, 40);
  expect(rows.every(({ status, attempts }) => status === 'delivered' && attempts === 1)).toBe(true);
  await receiver.until(MOST_ATTEMPTS_OF_ONE);
  expect([receiver.received.length, receiver.open()]).toEqual([MOST_ATTEMPTS_OF_ONE, MOST_ATTEMPTS_OF_ONE]);
  await quick.close();
});

test('a developer whose webhooks all hang, with more to deliver than there are places, takes none from others', async () => {
  receiver.behave(() => undefined);
  for (let n = 0; n < MOST_WEBHOOKS; n++)
    await hook(service, party, receiver.url, ['grant.created', 'token.issued']);
  const codes = await Promise.all(Array.from({ length: GRANTS }, () => party.consent()));
  await Promise.all(codes.map((code) => party.exchange(code)));
  await receiver.until(MOST_WEBHOOKS * MOST_ATTEMPTS_OF_ONE);

  const other = await newParty(service);
  const quick = await startReceiver();
  const registered = await hook(service, other, quick.url, ['grant.created']);
  await Promise.all(Array.from({ length: 30 }, () => other.grant()));
  const rows = await deliveriesOnce(service, other, registered, ended, 30);
  expect(rows.every(({ status, attempts }) => status === 'delivered' && attempts === 1)).toBe(true);
  // Not one more was begun meanwhile, and not one of those has ended.
  expect([receiver.received.length, receiver.open()]).toEqual([
    MOST_WEBHOOKS * MOST_ATTEMPTS_OF_ONE,
    MOST_WEBHOOKS * MOST_ATTEMPTS_OF_ONE,
  ]);
  await quick.close();
});

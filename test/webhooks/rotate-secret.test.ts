import { createHmac, randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { createSealer } from '../../src/secrets/sealing.ts';
import { sealSecret, secretsAt } from '../../src/webhooks/secret.ts';
import { newParty } from '../support/flow.ts';
import { HOOK_ENV, type Hook, hook } from './hooks.ts';
import type { Received } from './receiver.ts';
import { party, receiver, service, withReceiver } from './with-receiver.ts';

withReceiver(HOOK_ENV);

const DAY_MS = 86_400_000;

const rotate = (id: string, key = party.key) =>
  service.request('POST', `/v1/webhooks/${id}/rotate-secret`, { key });
const rotated = async ({ id }: Pick<Hook, 'id'>): Promise<string> => (await rotate(id)).body.secret;
/** What a grant that is made now tells the receiver. */
const next = async (): Promise<Received> => {
  const { grantId } = await party.grant();
  const [received] = await receiver.until(1, ({ body }) => body.data.grantId === grantId);
  return received as Received;
};
const verifies = ({ raw, headers }: Received, secret: string): boolean => {
  try {
    new Webhook(secret).verify(raw.toString(), headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
};
const signatures = ({ headers }: Received): string[] => String(headers['webhook-signature']).split(' ');

test('the new secret and the one before it sign for 24 hours, and then the new one alone', async () => {
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const before = Date.now();
  const { status, body } = await rotate(registered.id);
  expect([status, body]).toEqual([
    200,
    {
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
      previousSecretUntil: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    },
  ]);
  const until = Date.parse(body.previousSecretUntil) - DAY_MS;
  expect(until).toBeGreaterThanOrEqual(before);
  expect(until).toBeLessThanOrEqual(Date.now());
  expect(body.secret).not.toBe(registered.secret);

  const both = await next();
  expect(signatures(both)).toEqual([expect.stringMatching(/^v1,/), expect.stringMatching(/^v1,/)]);
  expect([body.secret, registered.secret].map((secret) => verifies(both, secret))).toEqual([true, true]);
  const alone = (header: string | undefined) => ({
    ...both,
    headers: { ...both.headers, 'webhook-signature': header },
  });
  expect(verifies(alone(signatures(both)[0]), body.secret)).toBe(true);
  expect(verifies(alone(signatures(both)[1]), registered.secret)).toBe(true);

  await service.database.sql`update webhooks set previous_secret_until = now() where id = ${registered.id}`;
  const later = await next();
  expect(signatures(later)).toHaveLength(1);
  expect([body.secret, registered.secret].map((secret) => verifies(later, secret))).toEqual([true, false]);
});

test('the X-Grantex headers have the signature of the new secret', async () => {
  const secret = await rotated(await hook(service, party, receiver.url, ['grant.created']));
  const { raw, headers } = await next();
  const hex = (text: string) => createHmac('sha256', secret).update(text).digest('hex');
  expect(headers['x-grantex-signature-v2']).toBe(`sha256=${hex(`${headers['x-grantex-timestamp']}.${raw}`)}`);
  expect(headers['x-grantex-signature']).toBe(`sha256=${hex(raw.toString())}`);
});

test('a second rotation ends the first secret', async () => {
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const second = await rotated(registered);
  const third = await rotated(registered);
  const received = await next();
  expect(signatures(received)).toHaveLength(2);
  expect([third, second, registered.secret].map((secret) => verifies(received, secret))).toEqual([
    true,
    true,
    false,
  ]);
});

test('of two rotations at once, both secrets are given out and both sign', async () => {
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const secrets = await Promise.all([rotated(registered), rotated(registered)]);
  const received = await next();
  expect([...secrets, registered.secret].map((secret) => verifies(received, secret))).toEqual([
    true,
    true,
    false,
  ]);
});

test('the secrets are in no row and in no line', async () => {
  const registered = await hook(service, party, receiver.url);
  const secret = await rotated(registered);
  const [row] = await service.database
    .sql`select w::text as text from webhooks w where id = ${registered.id}`;
  for (const one of [registered.secret, secret]) {
    expect(row?.['text']).not.toContain(one);
    expect(row?.['text']).not.toContain(Buffer.from(one.slice(6), 'base64').toString('hex'));
    expect(service.stdout.join('\n')).not.toContain(one);
  }
});

test("404: unknown, malformed, and another developer's, whose secret stays", async () => {
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const stranger = await newParty(service);
  for (const [id, key] of [
    ['wh_unknown', party.key],
    ['%F0%9F%98%80', party.key],
    [registered.id, stranger.key],
  ] as const) {
    const { status, body } = await rotate(id, key);
    expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
  }
  const received = await next();
  expect(signatures(received)).toHaveLength(1);
  expect(verifies(received, registered.secret)).toBe(true);
});

test('the previous secret signs up to the last millisecond, and is not opened after it', () => {
  const sealer = createSealer(randomBytes(32));
  const until = new Date('2026-01-02T00:00:00Z');
  const stored = {
    webhookId: 'wh_1',
    sealedSecret: sealSecret(sealer, 'wh_1', 'whsec_new'),
    previousSealedSecret: sealSecret(sealer, 'wh_1', 'whsec_old'),
    previousSecretUntil: until,
  };
  expect(secretsAt(sealer, stored, until.getTime() - 1)).toEqual(['whsec_new', 'whsec_old']);
  expect(secretsAt(sealer, stored, until.getTime())).toEqual(['whsec_new']);
  const unreadable = { ...stored, previousSealedSecret: randomBytes(40) };
  expect(secretsAt(sealer, unreadable, until.getTime())).toEqual(['whsec_new']);
  expect(() => secretsAt(sealer, unreadable, until.getTime() - 1)).toThrow();
});

import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signMessage } from '../../src/webhooks/sign-message.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { HOOK_ENV, type Hook, hook } from './hooks.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';

test('the example of Standard Webhooks', () => {
  const headers = signMessage(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    seconds: 1_614_265_330,
    body: '{"test": 2432232314}',
  });
  expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

describe('what the service sends', () => {
  let service: TestService;
  let receiver: Receiver;
  let registered: Hook;
  let received: Received;
  let headers: Record<string, string>;
  beforeAll(async () => {
    service = await startService({ env: HOOK_ENV });
    receiver = await startReceiver();
    const party = await newParty(service);
    registered = await hook(service, party, receiver.url, ['grant.created']);
    // Bytes that are more than characters.
    await party.grant({ principalId: 'пользователь 🦊', scopes: ['"quoted"'] });
    [received] = (await receiver.until(1)) as [Received];
    headers = received.headers as Record<string, string>;
  });
  afterAll(async () => {
    await service.stop();
    await receiver.close();
  });

  const hex = (text: string) => createHmac('sha256', registered.secret).update(text).digest('hex');

  test('X-Grantex-Signature-V2 and the legacy one, keyed with the secret as it was given out', () => {
    const body = received.raw.toString();
    const timestamp = headers['x-grantex-timestamp'] ?? '';
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
    expect(timestamp).toMatch(/^\d{10}$/);
    expect(headers['x-grantex-signature-v2']).toBe(`sha256=${hex(`${timestamp}.${body}`)}`);
    expect(headers['x-grantex-signature']).toBe(`sha256=${hex(body)}`);
  });

  test('the published library of Standard Webhooks accepts it, and nothing that was altered', () => {
    const webhook = new Webhook(registered.secret);
    const raw = received.raw.toString();
    expect(webhook.verify(raw, headers)).toEqual(JSON.parse(raw));
    const altered: [string, string, Record<string, string>][] = [
      ['body', raw.replace('grant.created', 'grant.revoked'), headers],
      ['id', raw, { ...headers, 'webhook-id': 'evt_other' }],
      ['time', raw, { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }],
      ['signature', raw, { ...headers, 'webhook-signature': 'v1,AAAA' }],
    ];
    for (const [what, body, changed] of altered)
      expect(() => webhook.verify(body, changed), what).toThrow(/No matching signature/);
    expect(() => new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`).verify(raw, headers)).toThrow();
  });
});

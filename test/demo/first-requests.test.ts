import { afterAll, beforeAll, expect, test } from 'vitest';
import { Caller } from '../../deploy/programs/demo/caller.ts';
import { type DemoContext, RateLimiter } from '../../deploy/programs/demo/context.ts';
import { createDevelopers } from '../../deploy/programs/demo/developers.ts';
import { sendFirstRequests } from '../../deploy/programs/demo/first-requests.ts';
import { Receivers } from '../../deploy/programs/demo/receivers.ts';
import { RequestCounts } from '../../deploy/programs/demo/request-counts.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let receivers: Receivers;
beforeAll(async () => {
  service = await startService({ env: { ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true' } });
  receivers = await Receivers.start('127.0.0.1');
});
afterAll(async () => {
  await service?.stop();
  await receivers?.close();
});

test('the first requests of each developer leave nothing to chance; a sandbox developer uses a refresh token twice', async () => {
  const counts = new RequestCounts();
  const caller = new Caller(service.url, counts);
  const developers = await createDevelopers(caller, receivers, { keys: [], warn: () => undefined });
  const context: DemoContext = {
    caller,
    developers,
    receivers,
    signal: new AbortController().signal,
    pageLimiter: new RateLimiter(0),
    revokedWithAgents: 0,
    shortGrantsEndAt: 0,
  };
  for (const developer of developers) await sendFirstRequests(context, developer);
  const sandboxes = developers.filter(({ mode }) => mode === 'sandbox').length;
  expect(sandboxes).toBeGreaterThan(0);
  expect([counts.of('refresh', 'ok'), counts.of('refresh', 'refused')]).toEqual([sandboxes, sandboxes]);
  expect(counts.of('exchange', 'ok')).toBe(developers.length + sandboxes);
  for (const act of ['delegate', 'revoke'] as const) expect(counts.of(act, 'ok')).toBe(developers.length);
  expect([counts.of('verify', 'valid'), counts.of('verify', 'invalid')]).toEqual([
    developers.length,
    developers.length,
  ]);
  expect(counts.of('deny', 'ok')).toBe(sandboxes);
  expect(counts.of('authorize', 'denied')).toBe(developers.length - sandboxes);
});

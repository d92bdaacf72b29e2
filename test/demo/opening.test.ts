import { afterAll, beforeAll, expect, test } from 'vitest';
import { Caller } from '../../deploy/programs/demo/caller.ts';
import { createCast } from '../../deploy/programs/demo/cast.ts';
import { opening } from '../../deploy/programs/demo/opening.ts';
import { Receivers } from '../../deploy/programs/demo/receivers.ts';
import { Budget, type Stage } from '../../deploy/programs/demo/stage.ts';
import { Tally } from '../../deploy/programs/demo/tally.ts';
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

test('of each developer the opening does what no chance may leave out, and of the sandbox it uses a refresh token twice', async () => {
  const tally = new Tally();
  const caller = new Caller(service.url, tally);
  const developers = await createCast(caller, receivers, { keys: [], warn: () => undefined });
  const stage: Stage = {
    caller,
    developers,
    receivers,
    signal: new AbortController().signal,
    pages: new Budget(0),
    fallenWithAgents: 0,
    runOutAt: 0,
  };
  for (const developer of developers) await opening(stage, developer);
  const sandboxes = developers.filter(({ mode }) => mode === 'sandbox').length;
  expect(sandboxes).toBeGreaterThan(0);
  expect([tally.of('refresh', 'ok'), tally.of('refresh', 'refused')]).toEqual([sandboxes, sandboxes]);
  expect(tally.of('exchange', 'ok')).toBe(developers.length + sandboxes);
  for (const act of ['delegate', 'revoke'] as const) expect(tally.of(act, 'ok')).toBe(developers.length);
  expect([tally.of('verify', 'valid'), tally.of('verify', 'invalid')]).toEqual([
    developers.length,
    developers.length,
  ]);
  expect(tally.of('deny', 'ok')).toBe(sandboxes);
  expect(tally.of('authorize', 'denied')).toBe(developers.length - sandboxes);
});

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTurns } from '../../src/http/turns.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

test('a developer has so many turns, the others wait in order, and further ones are refused', async () => {
  const turns = createTurns({ atOnce: 2, waiting: 2 });
  const first = await turns.take('dev_a');
  await turns.take('dev_a');
  const order: string[] = [];
  const third = turns.take('dev_a').then((giveBack) => {
    order.push('third');
    return giveBack;
  });
  const fourth = turns.take('dev_a').then(() => order.push('fourth'));
  expect(await turns.take('dev_a')).toBeNull();
  // Nobody waits behind somebody else.
  expect(await turns.take('dev_b')).not.toBeNull();
  expect(order).toEqual([]);
  first?.();
  first?.();
  const giveBack = await third;
  expect(order).toEqual(['third']);
  giveBack?.();
  await fourth;
  expect(order).toEqual(['third', 'fourth']);
});

let service: TestService;
let [noisy, quiet]: Party[] = [];
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true' } });
  [noisy, quiet] = [await newParty(service), await newParty(service)];
  // A page of a mebibyte, so that a client that does not read holds it back.
  const { developerId, agentId } = noisy;
  await service.database.sql`
    insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_turn' || n, ${developerId}, ${agentId}, 'user_1',
      (select array_agg(rpad('calendar:read:' || m, 256, 'x')) from generate_series(1, 32) m), 'active', now(),
      now() + interval '1 day', 'grnt_turn' || n, 0
    from generate_series(1, 100) n`;
});
afterAll(() => service.stop());

const ask = (socket: Socket, key: string) =>
  socket.write(`GET /v1/grants?pageSize=100 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\n\r\n`);

test('clients that do not read use up the turns of their developer, of nobody else, and only until they leave', async () => {
  if (!noisy || !quiet) throw new Error('there is no party');
  const { key } = noisy;
  const { hostname, port } = new URL(service.url);
  const sockets = Array.from({ length: 60 }, () => connect(Number(port), hostname).pause());
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    // More than the kernel's buffers take.
    for (let asked = 0; asked < 8; asked++) ask(socket, key);
  }
  const refused = await waitFor(async () => {
    const { status, body, headers } = await service.request('GET', '/v1/grants', { key });
    return status === 429 ? { body, retryAfter: headers.get('retry-after') } : undefined;
  });
  expect(refused).toMatchObject({ body: { code: 'RATE_LIMITED' }, retryAfter: '1' });
  expect(refused.body.message).toBe('Rate limit exceeded, retry in 1 seconds');
  expect((await service.request('GET', '/v1/grants', { key: quiet.key })).status).toBe(200);
  // Other routes of the same developer do not need a turn.
  expect((await service.request('GET', '/v1/me', { key })).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  await waitFor(
    async () => (await service.request('GET', '/v1/grants', { key })).status === 200 || undefined,
  );
  const limited = async () =>
    (await service.scrape()).value('grantex_rate_limited_total', { endpoint: 'api' });
  const lines = () => service.logs.filter(({ msg }) => msg === 'rate_limit.hit').length;
  await waitFor(async () => (await limited()) === lines() || undefined);
  expect(lines()).toBeGreaterThan(0);
});

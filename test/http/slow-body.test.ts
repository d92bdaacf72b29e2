import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

/** Longer than the deadline of what comes after the body, 2.5 s. The pause is the fault itself. */
const TOO_SLOW_MS = 2600;

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

/** Sends the head of a request and the first half of its body; `rest` sends the other and gives the answer's first line. */
function begin(key: string, body: string): { socket: Socket; rest: () => Promise<string> } {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  const half = Math.floor(body.length / 2);
  socket.write(
    `POST /v1/token/refresh HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body.slice(0, half));
  return {
    socket,
    rest: () =>
      new Promise((resolve) => {
        socket.once('data', (chunk) => resolve(chunk.toString().split('\r\n', 1)[0] ?? ''));
        socket.write(body.slice(half));
      }),
  };
}

const attempts = async () => {
  const scrape = await service.scrape();
  return {
    success: scrape.value('grantex_token_refresh_total', { status: 'success' }),
    error: scrape.value('grantex_token_refresh_total', { status: 'error' }),
  };
};

test('a body slower than the deadline of the work is answered like any other', async () => {
  const { refreshToken } = await party.grant();
  const before = await attempts();
  const request = begin(party.key, JSON.stringify({ agentId: party.agentId, refreshToken }));
  await delay(TOO_SLOW_MS);
  expect(await request.rest()).toBe('HTTP/1.1 201 Created');
  request.socket.destroy();
  expect(await attempts()).toEqual({ ...before, success: (before.success ?? 0) + 1 });
});

test('a body that never comes is no attempt of a caller without a key', async () => {
  const before = await attempts();
  const requests = Array.from({ length: 5 }, () => begin('gx_live_invented', '{"agentId":"x"}'));
  await delay(TOO_SLOW_MS);
  for (const { socket } of requests) socket.destroy();
  await waitFor(async () => {
    const gone = { method: 'POST', route: '/v1/token/refresh', status_code: '499' };
    const count = (await service.scrape()).value('grantex_http_request_duration_seconds_count', gone);
    return count === 5 || undefined;
  });
  expect(await attempts()).toEqual(before);
});

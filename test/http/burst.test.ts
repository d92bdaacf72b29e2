import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

const SOCKETS = 10;
const REQUESTS_OF_SOCKET = 200;

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'api=100000/60' } });
});
afterAll(() => service.stop());

const requestOf = (key: string) => `GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\n\r\n`;

/** A connection, and how many answers it has brought. */
function open() {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  return { socket, answers: () => received.split('HTTP/1.1 200').length - 1 };
}

test('a request is answered before most of a burst that another developer sent earlier', async () => {
  const [noisy, quiet] = [await newParty(service), await newParty(service)];
  const burst = Array.from({ length: SOCKETS }, open);
  const other = open();
  const all = [...burst, other];
  await Promise.all(
    all.map(({ socket }) => new Promise<void>((resolve) => socket.once('connect', () => resolve()))),
  );
  const answered = new Promise<void>((resolve) => other.socket.once('data', () => resolve()));
  for (const { socket } of burst) socket.write(requestOf(noisy.key).repeat(REQUESTS_OF_SOCKET));
  other.socket.write(requestOf(quiet.key));
  await answered;
  const done = () => burst.reduce((sum, { answers }) => sum + answers(), 0);
  expect(done()).toBeLessThan((SOCKETS * REQUESTS_OF_SOCKET) / 2);
  await expect.poll(done).toBe(SOCKETS * REQUESTS_OF_SOCKET);
  for (const { socket } of all) socket.destroy();
});

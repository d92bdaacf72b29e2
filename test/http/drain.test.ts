import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import express from 'express';
import { expect, onTestFinished, test, vi } from 'vitest';
import { listen } from '../../src/http/server.ts';
import { ON_LOOPBACK } from './on-loopback.ts';

test('the answer to a request that was under way closes its kept connection, and with it the server', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const app = express();
  app.use((_request, response) => asked.resolve(response));
  const server = await listen(app, ON_LOOPBACK);
  onTestFinished(() => server.cut());
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const answered = new Promise<IncomingMessage>((resolve) =>
    request({ host: '127.0.0.1', port: server.port, agent }, resolve).end(),
  );
  const response = await asked.promise;
  const drained = server.drain();
  response.writeHead(200, { 'content-length': '2' }).end('ok');
  const answer = await answered;
  answer.resume();
  expect(answer.headers.connection).toBe('close');
  await drained;
});

test('a connection on which nothing was ever asked does not hold up the end', async () => {
  const server = await listen(express(), ON_LOOPBACK);
  onTestFinished(() => server.cut());
  const silent = connect(server.port, '127.0.0.1');
  await once(silent, 'connect');
  await server.drain();
  expect(silent.bytesRead).toBe(0);
  silent.destroy();
});

test('a request that was on its way on an idle kept connection is answered, and closes it', async () => {
  const app = express();
  app.use((request, response) => void response.end(request.path));
  const server = await listen(app, ON_LOOPBACK);
  onTestFinished(() => server.cut());
  // The grace of idle connections does not run out here, however slow this machine is.
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const kept = connect(server.port, '127.0.0.1').setEncoding('utf8');
  onTestFinished(() => void kept.destroy());
  let answers = '';
  const answered = Promise.withResolvers<void>();
  kept.on('data', (text: string) => {
    answers += text;
    if (answers.endsWith('/first')) answered.resolve();
  });
  kept.write('GET /first HTTP/1.1\r\nHost: x\r\n\r\n');
  await answered.promise;
  const closed = once(kept, 'close');
  const drained = server.drain();
  kept.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
  await closed;
  await drained;
  const [, second = ''] = answers.split('/first');
  expect(second).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(second).toMatch(/\r\nConnection: close\r\n/);
  expect(second.endsWith('/second')).toBe(true);
});

/** One kept connection that sends a request and waits for its answer, time after time. */
function keptConnection(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return (path: string) =>
    new Promise<{ status: number; connection: string | undefined; reused: boolean }>((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port, path, agent }, (answer) => {
        answer.resume();
        answer.once('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            connection: answer.headers.connection,
            reused: asking.reusedSocket,
          }),
        );
      });
      asking.once('error', reject).end();
    });
}

const echo = () => express().use((request, response) => void response.end(request.path));

test('a server that retires goes on accepting, and every answer is the last on its connection', async () => {
  const server = await listen(echo(), ON_LOOPBACK);
  onTestFinished(() => server.cut());
  const ask = keptConnection(server.port);
  expect(await ask('/')).toMatchObject({ status: 200, connection: 'keep-alive' });
  server.retire();
  expect(await ask('/')).toEqual({ status: 200, connection: 'close', reused: true });
  expect(await ask('/')).toEqual({ status: 200, connection: 'close', reused: false });
});

test('a scraper keeps its connection after the last answer to others, until the server is closed', async () => {
  const server = await listen(echo(), { ...ON_LOOPBACK, isScrape: (url) => url === '/metrics' });
  onTestFinished(() => server.cut());
  const [scrape, ask] = [keptConnection(server.port), keptConnection(server.port)];
  await Promise.all([scrape('/metrics'), ask('/')]);
  // The other connection is idle and closed after its grace.
  await server.drain();
  server.cut();
  expect(await scrape('/metrics')).toEqual({ status: 200, connection: 'keep-alive', reused: true });
  await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
  // Other requests do not go on for ever on the connection of a scraper.
  expect(await scrape('/')).toEqual({ status: 200, connection: 'close', reused: true });
  await expect(scrape('/metrics')).rejects.toThrow('ECONNREFUSED');
});

test('the close waits for a scrape under way, and ends an idle connection of a scraper', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const app = express()
    .get('/metrics', (_request, response) => asked.resolve(response))
    .use((_request, response) => void response.end());
  const isScrape = () => true;
  const server = await listen(app, { ...ON_LOOPBACK, isScrape });
  onTestFinished(() => server.cut());
  const [slow, idle] = [keptConnection(server.port), keptConnection(server.port)];
  await idle('/');
  const answer = slow('/metrics');
  const response = await asked.promise;
  await server.drain();
  const closed = server.close();
  response.end();
  expect(await answer).toMatchObject({ status: 200, connection: 'close' });
  await closed;
  await expect(idle('/')).rejects.toThrow('ECONNREFUSED');
});

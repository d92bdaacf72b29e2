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

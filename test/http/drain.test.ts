import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../../src/http/server.ts';

test('the answer to a request that was under way closes its kept connection, and with it the server', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const app = express();
  app.use((_request, response) => asked.resolve(response));
  const server = await listen(app, '127.0.0.1', 0);
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
  const server = await listen(express(), '127.0.0.1', 0);
  onTestFinished(() => server.cut());
  const silent = connect(server.port, '127.0.0.1');
  await once(silent, 'connect');
  await server.drain();
  expect(silent.bytesRead).toBe(0);
  silent.destroy();
});

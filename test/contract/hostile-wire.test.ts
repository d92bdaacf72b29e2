import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ERROR_STATUS } from '../../src/errors.ts';
import { fingerprint } from '../support/fingerprint.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { exchange, stillConnected } from './raw.ts';
import { WIRE_CASES } from './wire-cases.ts';

const MAX_GROWTH_MB = 150;

let service: TestService;
let rssBefore: number;
const clients = new Set<number>();
beforeAll(async () => {
  service = await startService();
  rssBefore = rssMb();
});
afterAll(() => service?.stop());
afterEach(async () => {
  const { answers, kept } = await exchange(service.url, 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
  expect([kept, answers.map(({ body }) => body)]).toEqual([true, ['{"status":"ok"}']]);
});

const rows = () => fingerprint(service.database.sql);
function rssMb(): number {
  const status = readFileSync(`/proc/${service.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

for (const [name, bytes, expected, ending] of WIRE_CASES)
  test(name, async () => {
    const before = await rows();
    const { answers, port } = await exchange(service.url, bytes, ending);
    clients.add(port);
    const statuses = answers.map(({ status }) => status);
    if (expected !== 'refused') expect(statuses).toEqual(expected);
    else expect([[], [400]]).toContainEqual(statuses);
    for (const { status, headers, body } of answers) {
      expect(headers['x-request-id']).toMatch(/^[\x20-\x7e]{1,128}$/);
      if (status < 400) continue;
      const { code, requestId, ...rest } = JSON.parse(body);
      expect(ERROR_STATUS[code as keyof typeof ERROR_STATUS]).toBe(status);
      expect(requestId).toBe(headers['x-request-id']);
      expect(rest).toEqual({ message: expect.any(String) });
      expect(headers['content-type']).toBe('application/json; charset=utf-8');
    }
    expect(await rows()).toEqual(before);
  });

test('two hundred requests that never end keep nobody else waiting, and go when their clients do', async () => {
  const halves = [
    'GET /health HTTP/1.1\r\nHost: x\r\nX: ',
    'POST /v1/signup HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{',
  ];
  const { hostname, port } = new URL(service.url);
  const before = await rows();
  const sockets = Array.from({ length: 200 }, (_, n) => {
    const socket = connect(Number(port), hostname, () => socket.write(halves[n % 2] ?? ''));
    socket.on('error', () => undefined);
    return socket;
  });
  const ports = () => new Set(sockets.map((socket) => socket.localPort ?? 0));
  try {
    await waitFor(() => (stillConnected(service.url, ports()).length === 200 ? true : undefined));
    for (let n = 0; n < 20; n++) expect((await service.request('GET', '/health')).status).toBe(200);
  } finally {
    for (const one of ports()) clients.add(one);
    for (const socket of sockets) socket.destroy();
  }
  expect(await rows()).toEqual(before);
});

test('no connection is left, nothing was an error, and memory has not grown', async () => {
  expect(clients.size).toBeGreaterThan(100);
  await waitFor(() => (stillConnected(service.url, clients).length === 0 ? true : undefined));
  expect(service.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  expect(service.process.exitCode).toBeNull();
  expect(rssMb() - rssBefore).toBeLessThan(MAX_GROWTH_MB);
});

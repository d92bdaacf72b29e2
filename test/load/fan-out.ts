import { connect, type Socket } from 'node:net';
import { waitFor } from '../support/child.ts';
import { cpuOf, memoryOf } from './cpu.ts';
import { medianOf, type Row, round } from './table.ts';
import { makeTenants } from './tenants.ts';
import type { Testbed } from './testbed.ts';

/** So many connections begin at once, because each asks the database. */
const OPENED_AT_ONCE = 50;

/**
 * Measures how one revocation reaches `clients` streams of one replica, several times, one after the other. The clients share the
 * cores with the service, so times are longer than they would be without them.
 */
export async function measureFanOut(
  testbed: Testbed,
  { clients, revocations }: { clients: number; revocations: number },
): Promise<Row> {
  const env = { MAX_STREAMS: String(clients), MAX_CONNECTIONS_PER_ADDRESS: String(clients + 100) };
  const server = await testbed.start('full', { env });
  const { key, tokens } = await makeTenants(server, { tokens: revocations + 1, refreshTokens: 0 });
  const before = memoryOf(server.pid);
  const arrivals: number[] = [];
  const sockets = await openStreams(server.url, key, clients, () => arrivals.push(performance.now()));
  const memory = memoryOf(server.pid) - before;
  try {
    const turns: { first: number; middle: number; last: number; cpu: number }[] = [];
    for (const token of tokens) {
      arrivals.length = 0;
      const cpu = cpuOf(server.pid);
      const begun = performance.now();
      const revoked = await fetch(`${server.url}/oauth/revoke`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: new URLSearchParams({ token }),
      });
      if (!revoked.ok) throw new Error(`/oauth/revoke: ${revoked.status} ${await revoked.text()}`);
      await waitFor(() => arrivals.length >= clients || undefined);
      const after = (index: number) => (arrivals[index] ?? Number.NaN) - begun;
      turns.push({
        first: after(0),
        middle: after(Math.floor(clients / 2)),
        last: after(clients - 1),
        cpu: cpuOf(server.pid) - cpu,
      });
    }
    // The first one runs code that is not compiled yet.
    const warm = turns.slice(1);
    const figure = (read: (turn: (typeof turns)[number]) => number) => round(medianOf(warm, read));
    return {
      clients,
      revocations: warm.length,
      'to the first, ms': figure(({ first }) => first),
      'to half of them, ms': figure(({ middle }) => middle),
      'to the last, ms': figure(({ last }) => last),
      'first to last, ms': figure(({ first, last }) => last - first),
      'CPU of service for each client, µs': figure(({ cpu }) => cpu / clients),
      'memory for each client, KiB': round((memory * 1024) / clients),
    };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** @param arrived is called for each revocation that a stream brings */
async function openStreams(url: string, key: string, count: number, arrived: () => void): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  let ready = 0;
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const socket = connect(Number(port), hostname, () =>
      socket.write(
        `GET /v1/revocations/stream HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${key}\r\n\r\n`,
      ),
    );
    socket.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('event: ready')) ready += 1;
      if (text.includes('event: revocation')) arrived();
    });
    sockets.push(socket);
    if (sockets.length % OPENED_AT_ONCE === 0) await waitFor(() => ready >= sockets.length || undefined);
  }
  await waitFor(() => ready >= count || undefined);
  return sockets;
}

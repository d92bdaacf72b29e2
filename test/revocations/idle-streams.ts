import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, waitFor } from '../support/service.ts';

/** What 5,000 streams may cost, as the part of one. */
const MOST_BYTES_EACH = (200 * 1024 * 1024) / 5000;

/**
 * Opens `count` streams, lets them idle through some heartbeats, and compares the memory of the service. As many streams were
 * there before, so that memory which only begins to be used is not counted.
 * @throws when a stream costs more than its part
 */
export async function costOfIdleStreams(count: number, warmUp: number): Promise<void> {
  const service = await startService({
    env: { MAX_STREAMS: String(count), MAX_CONNECTIONS_PER_ADDRESS: String(2 * count + 100) },
  });
  const party = await newParty(service);
  const { hostname, port } = new URL(service.url);
  const rss = () =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${service.process.pid}/status`, 'utf8'))?.[1]) *
    1024;
  const open = async (streams: number) => {
    const sockets: Socket[] = [];
    let beats = 0;
    for (let n = 0; n < streams; n++) {
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `GET /v1/revocations/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${party.key}\r\n\r\n`,
        ),
      );
      socket.on('data', (chunk) => {
        if (chunk.includes('event: heartbeat')) beats += 1;
      });
      sockets.push(socket);
      // Not all at once: each asks the database.
      if (n % 50 === 49) await waitFor(async () => (await clients()) >= n - 20 || undefined);
    }
    await waitFor(async () => (await clients()) === streams || undefined);
    const before = beats;
    await waitFor(() => beats > before + 3 * streams || undefined);
    return sockets;
  };
  const clients = async () => (await service.scrape()).sum('grantex_revocation_feed_clients');
  for (const socket of await open(warmUp)) socket.destroy();
  await waitFor(async () => (await clients()) === 0 || undefined);
  const before = rss();
  const sockets = await open(count);
  const each = (rss() - before) / count;
  process.stdout.write(`${count} idle streams: ${Math.round(each / 1024)} KiB each\n`);
  for (const socket of sockets) socket.destroy();
  await service.stop();
  expect(each).toBeLessThan(MOST_BYTES_EACH);
}

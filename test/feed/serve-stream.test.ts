import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { frameOf, NAMED_EVENTS } from '../../src/feed/event-stream.ts';
import { createFollower, type Followed } from '../../src/feed/follower.ts';
import { createHeldConnections } from '../../src/feed/held-connections.ts';
import { serveStream } from '../../src/feed/serve-stream.ts';
import { PATIENCE_MS, waitFor } from '../support/child.ts';

const PAGE = 500;
/** What a client that does not read may cost: the bound, one batch, and what Node holds besides. */
const MOST_BUFFERED = 4 * 1024 * 1024;
const TEXT = 'x'.repeat(1000);

const undo = new Set<() => unknown>();
afterEach(async () => {
  for (const end of undo) await end();
  undo.clear();
});

/** A feed in an array, and a server that streams it. It cuts a client that reads nothing for `drainMs`. */
async function serveFeed(drainMs = PATIENCE_MS) {
  const feed: Followed[] = [];
  const add = (count: number) => {
    for (let n = 0; n < count; n++) feed.push({ seq: feed.length + 1, developerId: 'dev', ageSeconds: 0 });
  };
  const read = (after: number, until: number, limit: number) =>
    feed.slice(after, Math.min(until, after + limit));
  const follower = createFollower<Followed>(
    {
      look: async () => ({ lastSeq: feed.length, waitingSeconds: null, more: false }),
      read: async ({ after, until, limit }) => read(after, until, limit),
    },
    (error) => {
      throw error;
    },
  );
  const held = createHeldConnections({ max: 10, isValid: async () => true });
  let slow = 0;
  let reads = 0;
  let response: ServerResponse | undefined;
  const page = (after: number) => {
    const entries = read(after, feed.length, PAGE);
    const more = entries.length === PAGE;
    return { entries, upTo: more ? after + PAGE : feed.length, more };
  };
  const server = createServer((_req, res) => {
    response = res;
    serveStream<Followed>(res, {
      feed: 'events',
      developerId: 'dev',
      keyHash: Buffer.from('key'),
      headers: {},
      follower,
      held,
      after: 0,
      first: page(0),
      readAfter: async (after) => {
        reads += 1;
        return page(after);
      },
      encode: (entries) =>
        Buffer.concat(
          entries.map(({ seq }) => frameOf({ id: String(seq), data: `{"n":${seq},"t":"${TEXT}"}` })),
        ),
      signs: NAMED_EVENTS,
      onSlowReader: () => {
        slow += 1;
      },
      drainMs,
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  follower.start();
  held.start();
  undo.add(async () => {
    held.close();
    await follower.stop(1000);
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    add,
    held,
    port,
    slow: () => slow,
    reads: () => reads,
    buffered: () => response?.writableLength ?? 0,
  };
}

const connect = async (port: number): Promise<IncomingMessage> => {
  const asked = request({ port, agent: false }).end();
  undo.add(() => asked.destroy());
  const [response] = await once(asked, 'response');
  return response;
};

/** Collects the ids of the events. */
function idsOf(response: IncomingMessage): number[] {
  const ids: number[] = [];
  let rest = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('id: ')) ids.push(Number(line.slice(4)));
  });
  return ids;
}
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

test('a client that reads nothing is cut, and never costs more than the bound', async () => {
  const { add, held, port, slow, buffered } = await serveFeed(500);
  const response = await connect(port);
  response.on('error', () => undefined).pause();
  await waitFor(() => held.count('events', 'stream') === 1 || undefined);
  let most = 0;
  await waitFor(() => {
    add(1000);
    most = Math.max(most, buffered());
    return slow() === 1 || undefined;
  });
  await waitFor(() => held.count('events', 'stream') === 0 || undefined);
  expect(most).toBeGreaterThan(256 * 1024);
  expect(most).toBeLessThan(MOST_BUFFERED);
});

test('a client that pauses and reads on gets everything, once and in order', async () => {
  const { add, port, slow, reads } = await serveFeed();
  const response = await connect(port);
  const ids = idsOf(response);
  add(10);
  await waitFor(() => ids.length === 10 || undefined);
  const before = reads();
  response.pause();
  add(20_000);
  // From here on it is read to from the feed, as fast as it reads.
  await waitFor(() => {
    response.resume();
    return ids.length === 20_010 || undefined;
  });
  add(5);
  await waitFor(() => ids.length === 20_015 || undefined);
  expect(ids).toEqual(upTo(20_015));
  expect([slow(), reads() > before]).toEqual([0, true]);
});

test('what exists at the beginning comes page by page, and what comes meanwhile after it', async () => {
  const { add, port } = await serveFeed();
  add(3 * PAGE);
  const ids = idsOf(await connect(port));
  const adding = waitFor(() => {
    add(100);
    return ids.length > 4 * PAGE || undefined;
  });
  await adding;
  const last = ids.length;
  expect(ids).toEqual(upTo(last));
});

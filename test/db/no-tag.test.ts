import { once } from 'node:events';
import { type AddressInfo, connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect, insert, one, outcome, type Watched } from './private-server.ts';
import { admin, server, withPrivateServer } from './with-private-server.ts';

withPrivateServer();

/** ReadyForQuery, with which every answer ends. */
const READY = 'Z'.charCodeAt(0);

/** Some poolers answer a statement that was cancelled with nothing but the end of an answer. So does this, when `empty`. */
let empty = false;
let pooler: Server;
const sockets = new Set<Socket>();
beforeAll(async () => {
  const far = Number(new URL(server.urls.plain).port);
  pooler = createServer((near) => {
    const behind = connectTo(far, '127.0.0.1');
    let rest = Buffer.alloc(0);
    near.on('data', (chunk) => behind.write(chunk));
    behind.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      // A message is its type, its length and what belongs to it.
      while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
        const end = 1 + rest.readInt32BE(1);
        if (!empty || rest[0] === READY) near.write(rest.subarray(0, end));
        rest = rest.subarray(end);
      }
    });
    for (const [socket, other] of [
      [near, behind],
      [behind, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  pooler.listen(0, '127.0.0.1');
  await once(pooler, 'listening');
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => pooler.close(resolve));
});

let watched: Watched;
beforeEach(async () => {
  await admin`truncate numbers`;
  const url = new URL(server.urls.plain);
  url.port = String((pooler.address() as AddressInfo).port);
  url.searchParams.set('sslmode', 'disable');
  watched = connect(url.href, 1);
  expect(await watched.db.all(one, { n: 1 })).toEqual([{ one: 1 }]);
});
afterEach(async () => {
  empty = false;
  await watched.db.close(1_000);
});

test('an answer without a tag is no answer: the read may be repeated, on another connection', async () => {
  const { db } = watched;
  empty = true;
  expect(await outcome(db.all(one, { n: 2 }))).toBe(503);
  empty = false;
  expect(db.connections().idle).toBe(0);
  expect(await db.all(one, { n: 3 })).toEqual([{ one: 3 }]);
});

test('nobody knows what became of a write without a tag', async () => {
  const { db } = watched;
  // The second time the statement is prepared already, so the server does it at once.
  await db.all(insert, { n: 1 });
  empty = true;
  expect(await outcome(db.all(insert, { n: 2 }))).not.toBe('done');
  empty = false;
  expect(await admin`select n from numbers order by n`).toEqual([{ n: 1 }, { n: 2 }]);
  expect(await db.all(one, { n: 3 })).toEqual([{ one: 3 }]);
});

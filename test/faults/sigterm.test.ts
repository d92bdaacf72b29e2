import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { waitFor } from '../support/service.ts';
import { Client, type Reply } from './client.ts';
import { expectAnswersStored, expectNothingHalfMade } from './ledger.ts';
import { startOwnService } from './own-service.ts';
import { isGood, startTraffic } from './traffic.ts';

const SECOND = 1_000;
const LIMIT_MS = 10 * SECOND;

/** Whether a server accepts connections at this URL. */
const listens = (url: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });

/** Starts callers that keep their connection and send a request now and then, like a connection pool. */
function startOccasional(url: string, key: string, count: number) {
  const replies: Reply[] = [];
  let stopping = false;
  const ask = async (index: number) => {
    const client = new Client(url);
    while (!stopping) {
      const reply = await client.send({ method: 'GET', path: '/v1/me', key });
      replies.push(reply);
      if (reply.status === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 20 + 10 * index));
    }
    client.close();
  };
  const all = Promise.all(Array.from({ length: count }, (_, index) => ask(index)));
  return {
    replies,
    async stop() {
      stopping = true;
      await all;
    },
  };
}

test('SIGTERM under load: every answer arrives, nobody is cut off, new connections are refused, exit 0', async () => {
  const database = await createTestDatabase();
  const service = await startOwnService({ database });
  const party = await newParty(service, 'sandbox');
  const traffic = startTraffic({ url: service.url, ...party, callers: 12 });
  const occasional = startOccasional(service.url, party.key, 12);
  await waitFor(() => (traffic.shots.length >= 1000 && occasional.replies.length > 100) || undefined);

  const exited = once(service.process, 'exit');
  const begun = performance.now();
  service.process.kill('SIGTERM');
  await service.logged('service.stopping');
  const closed = await waitFor(async () => ((await listens(service.url)) ? undefined : performance.now()));
  const [code] = await exited;
  const ended = performance.now();
  await Promise.all([traffic.stop(), occasional.stop()]);

  const shots = [...traffic.shots];
  const replies = [...shots.map(({ reply }) => reply), ...occasional.replies];
  const unanswered = replies.filter(({ status }) => status === 0);
  const errors = Map.groupBy(unanswered, ({ error }) => error ?? '');
  printTable('SIGTERM under load', [
    {
      requests: replies.length,
      'answered after the signal': replies.filter(({ status, ended }) => status !== 0 && ended > begun)
        .length,
      'refused connections': errors.get('ECONNREFUSED')?.length ?? 0,
      resets: unanswered.length - (errors.get('ECONNREFUSED')?.length ?? 0),
      'closed to new ones after ms': Math.round(closed - begun),
      'exit after ms': Math.round(ended - begun),
    },
  ]);
  expect([...errors.keys()]).toEqual(['ECONNREFUSED']);
  expect(shots.filter((shot) => !isGood(shot) && shot.reply.status !== 0)).toEqual([]);
  expect(code).toBe(0);
  expect(ended - begun).toBeLessThan(LIMIT_MS);
  await expectAnswersStored(database.sql, shots);
  await expectNothingHalfMade(database.sql);
  // No outcome is unknown: a request without an answer never reached the service.
  const stored = await database.sql`select count(*)::int as grants from grants where parent_grant_id is null`;
  expect(stored[0]?.['grants']).toBe(shots.filter((shot) => shot.kind === 'exchange' && isGood(shot)).length);
  await database.drop();
});

import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { eventsOnce, openEvents, type ReadEvent } from './follow.ts';

const WRITERS = 16;
const GRANTS = 200;

test('two replicas, many writers, one is killed: readers have exactly the rows, in order and once', async () => {
  const database = await createTestDatabase();
  const start = () => startService({ database, env: { PUBLIC_URL: 'https://auth.example.com' } });
  const services: TestService[] = [await start(), await start()];
  const party = await newParty(services[0] as TestService);
  const { key, agentId } = party;
  const stopping = new AbortController();
  let interruptions = 0;

  /** Goes on after its last event, on the next replica, whenever it is interrupted. */
  const follow = (first: number) => {
    const all: ReadEvent[] = [];
    let turn = first;
    const ready = Promise.withResolvers<void>();
    const run = async () => {
      while (!stopping.signal.aborted) {
        const service = services[turn++ % services.length] as TestService;
        const opened = await openEvents(service, party, { after: all.at(-1)?.id }).catch(() => null);
        if (opened?.status !== 200) {
          opened?.close();
          await new Promise((resolve) => setTimeout(resolve, 50));
          continue;
        }
        const before = all.length;
        const take = () => all.push(...opened.read().slice(all.length - before));
        ready.resolve();
        opened.response.on('data', take);
        stopping.signal.addEventListener('abort', opened.close);
        await opened.ended;
        take();
        if (!stopping.signal.aborted) interruptions += 1;
      }
    };
    const running = run();
    return { all, ready: ready.promise, running };
  };
  const readers = [0, 1, 2, 3].map(follow);
  await Promise.all(readers.map(({ ready }) => ready));

  const request = { agentId, principalId: 'user_1', scopes: ['a'] };
  const call = (method: string, path: string, body?: unknown) =>
    waitFor(async () => {
      const service = services[Math.floor(Math.random() * services.length)] as TestService;
      const answer = await service.request(method, path, { key, body }).catch(() => null);
      return answer && answer.status < 500 && answer.status !== 429 ? answer : undefined;
    });
  let begun = 0;
  const write = async () => {
    while (begun < GRANTS) {
      begun += 1;
      const { authRequestId } = (await call('POST', '/v1/authorize', request)).body;
      const decided = await call('POST', `/v1/consent/${authRequestId}/approve`);
      // Where the answer of a killed replica was lost, the repetition is refused. The grant may be there all the same.
      if (decided.status !== 200) continue;
      const pair = await call('POST', '/v1/token', { code: decided.body.code, agentId });
      if (pair.status === 201) await call('DELETE', `/v1/grants/${pair.body.grantId}`);
    }
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, write));
  await waitFor(() => begun > GRANTS / 3 || undefined, 120_000);
  (services.pop() as TestService).process.kill('SIGKILL');
  await waitFor(() => begun > (2 * GRANTS) / 3 || undefined, 120_000);
  services.push(await start());
  await writing;

  const { sql } = database;
  const wanted = (
    await sql<{ name: string }[]>`
      select 'grant.created ' || id as name from grants
      union all select 'grant.revoked ' || id from grants where status = 'revoked'
      union all select 'token.issued ' || jti from tokens order by 1`
  ).map(({ name }) => name);
  await waitFor(() => readers.every(({ all }) => all.length >= wanted.length) || undefined, 60_000);
  stopping.abort();
  await Promise.all(readers.map(({ running }) => running));
  const stored = (await sql`select event_id as id from events order by seq`).map(({ id }) => id);
  const names = ({ type, data }: ReadEvent) => `${type} ${data['tokenId'] ?? data['grantId']}`;
  for (const { all } of readers) {
    expect(all.map(({ id }) => id)).toEqual(stored);
    expect(all.map(names).sort()).toEqual(wanted.toSorted());
  }
  // Two of the four were on the replica that was killed.
  expect(interruptions).toBeGreaterThanOrEqual(2);

  // What one replica gave goes on at the other one.
  const [first, ...rest] = readers[0]?.all ?? [];
  for (const service of services) {
    const stream = await openEvents(service, party, { after: first?.id });
    expect(await eventsOnce(stream, rest.length)).toEqual(rest);
    stream.close();
  }
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
});

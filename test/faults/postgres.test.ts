import { afterEach, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { Client } from './client.ts';
import {
  expectAnswersStored,
  expectCountersExplained,
  expectNothingHalfMade,
  expectProperAnswers,
  expectRefusedUndone,
} from './ledger.ts';
import { OwnPostgres } from './own-postgres.ts';
import { isGood, type Shot, startTraffic } from './traffic.ts';

const SECOND = 1_000;
const RECOVERY_MS = 5 * SECOND;
const CALLERS = 8;

let postgres: OwnPostgres;
let service: TestService;
afterEach(async () => {
  await service.stop();
  await postgres.end();
});

interface Fault {
  readonly name: string;
  /** Brings it about. */
  readonly begin: (of: OwnPostgres) => Promise<void> | void;
  /** Resolves when the database is back; from then on the service has its time to recover. */
  readonly end: (of: OwnPostgres) => Promise<void> | void;
  /** Nobody is refused for sure: it may be over too soon. */
  readonly brief?: true;
  /** No connection is lost, only time. */
  readonly keepsConnections?: true;
}

const FAULTS: readonly Fault[] = [
  { name: 'killed and restarted', begin: (of) => of.kill(), end: (of) => of.restart() },
  {
    name: 'one process killed, recovers alone',
    begin: (of) => of.killBackend(),
    end: (of) => of.answers(),
    brief: true,
  },
  { name: 'frozen', begin: (of) => of.freeze(), end: (of) => of.thaw(), keepsConnections: true },
  {
    name: 'connection cut',
    begin: (of) => of.cable.set('cut'),
    end: (of) => of.cable.set('through'),
  },
  {
    name: 'connection reset',
    begin: (of) => of.cable.set('reset'),
    end: (of) => of.cable.set('through'),
  },
  {
    name: 'connection hangs, and goes on',
    begin: (of) => of.cable.set('hanging'),
    end: (of) => of.cable.set('through'),
    keepsConnections: true,
  },
  {
    name: 'connection swallowed for ever',
    begin: (of) => of.cable.set('swallowing'),
    end: (of) => of.cable.set('through'),
  },
];

test.each(FAULTS)(
  'PostgreSQL under load: $name',
  async ({ name, begin, end, brief, keepsConnections }) => {
    postgres = await OwnPostgres.start();
    service = await startService({ database: postgres.forService });
    const party = await newParty(service, 'sandbox');
    const traffic = startTraffic({ url: service.url, ...party, callers: CALLERS });
    const good = (since: number) =>
      traffic.shots.filter((shot) => isGood(shot) && shot.reply.begun > since).length;
    const bad = (since: number) =>
      traffic.shots.filter((shot) => !isGood(shot) && shot.reply.begun > since).length;
    const health = async () => (await service.request('GET', '/health')).status;
    await waitFor(() => good(0) >= 200 || undefined, 20 * SECOND);
    expect(await health()).toBe(200);

    const begun = performance.now();
    await begin(postgres);
    if (!brief) {
      expect(await waitFor(async () => ((await health()) === 503 ? 503 : undefined))).toBe(503);
      await waitFor(() => bad(begun) >= CALLERS || undefined);
    }
    await end(postgres);
    const back = performance.now();
    await waitFor(async () => ((await health()) === 200 ? true : undefined), RECOVERY_MS);
    await waitFor(() => good(back + RECOVERY_MS) >= 200 || undefined, 20 * SECOND);
    await traffic.stop();

    const { shots } = traffic;
    const lastFailure = Math.max(
      begun,
      ...shots.filter((shot) => !isGood(shot)).map(({ reply }) => reply.ended),
    );
    const counts = await expectCountersExplained(postgres.sql, shots, await service.scrape());
    const status = (wanted: number) => shots.filter(({ reply }) => reply.status === wanted).length;
    printTable(`PostgreSQL ${name}`, [
      {
        requests: shots.length,
        good: shots.filter(isGood).length,
        500: status(500),
        503: status(503),
        'slowest ms': Math.round(Math.max(...shots.map(({ reply }) => reply.ms))),
        'down ms': Math.round(back - begun),
        'recovered after ms': Math.max(0, Math.round(lastFailure - back)),
      },
    ]);
    printTable(
      'counters and rows',
      counts.map((count) => ({ ...count })),
    );
    expectProperAnswers(shots);
    // By when they were sent: how long a machine takes to answer is another matter.
    expect(bad(back + RECOVERY_MS)).toBe(0);
    await expectAnswersStored(postgres.sql, shots);
    await expectNothingHalfMade(postgres.sql);
    const client = new Client(service.url);
    const again = async ({ sending }: Shot) => (await client.send(sending)).status;
    await expectRefusedUndone(postgres.sql, shots, again);
    client.close();
    if (keepsConnections) return;
    const [logged] = await service.logged('database.connection_error');
    expect(logged).toMatchObject({ level: 'error', error: expect.any(String), pool: expect.any(String) });
  },
  60 * SECOND,
);

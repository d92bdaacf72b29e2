import type postgres from 'postgres';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { type Answer, startService, type TestService, waitFor } from '../support/service.ts';

/** Two processes on one database, as behind a load balancer. */
export interface Replicas {
  readonly database: TestDatabase;
  readonly both: readonly [TestService, TestService];
  stop(): Promise<void>;
}

export async function startReplicas(): Promise<Replicas> {
  const undo = new AsyncDisposableStack();
  const database = await createTestDatabase();
  undo.defer(() => database.drop());
  // One issuer, or one replica would not know the other's tokens.
  const env = { PUBLIC_URL: 'https://auth.example.com', DATABASE_POOL_MAX: '10' };
  const start = async () => {
    const service = await startService({ database, env });
    undo.defer(async () => void (await service.stop()));
    return service;
  };
  const [one, other] = await Promise.allSettled([start(), start()]);
  if (one.status === 'fulfilled' && other.status === 'fulfilled')
    return { database, both: [one.value, other.value], stop: () => undo.disposeAsync() };
  await undo.disposeAsync();
  throw new Error('a replica did not start', { cause: [one, other] });
}

/** As many callers wait at any moment: more would all run into the deadline of a request when the machine is busy. */
const AT_ONCE = 64;

/** 503 says that nothing was done, and a 500 at the deadline that nobody knows: both only of a machine that is slow. */
export const isNoAnswer = ({ status, body }: Answer): boolean =>
  status === 503 || (status === 500 && body.message === 'The outcome of the request is not known');

/** What became of a crowd; a caller that got no answer has asked again. */
export interface Crowd {
  readonly answers: readonly Answer[];
  readonly repetitions: number;
}

/** `count` callers push for one thing, in turn on each of `services`; one that has its answer makes room for the next. */
export async function crowd(
  services: readonly TestService[],
  count: number,
  call: (service: TestService, n: number) => Promise<Answer>,
): Promise<Crowd> {
  const answers: Answer[] = [];
  let begun = 0;
  let repetitions = 0;
  const push = async () => {
    while (begun < count) {
      const n = begun++;
      const service = services[n % services.length] as TestService;
      let answer = await call(service, n);
      for (; isNoAnswer(answer); repetitions++) answer = await call(service, n);
      answers[n] = answer;
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, AT_ONCE) }, push));
  return { answers, repetitions };
}

/** Holds back what wants the rows that `hold` locks, until `count` statements wait for them: then all go on together. */
export async function release<T>(
  { database: { sql } }: Replicas,
  hold: (tx: postgres.TransactionSql) => PromiseLike<unknown>,
  start: () => Promise<T>,
  count: number,
): Promise<T> {
  const held = await sql.begin(async (tx) => {
    await hold(tx);
    const answers = start();
    await waitForLocks(sql, count);
    return { answers };
  });
  return held.answers as Promise<T>;
}

/** Until `count` statements wait for rows that somebody else has locked. */
export async function waitForLocks(sql: postgres.Sql, count: number): Promise<void> {
  await waitFor(async () => {
    const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.['waiting'] >= count || undefined;
  });
}

/** How many answers there are of each status. */
export function statuses(answers: readonly Answer[]): Record<string, number> {
  const groups = Map.groupBy(answers, ({ status }) => status);
  return Object.fromEntries([...groups].map(([status, of]) => [status, of.length]));
}

/** What both processes counted, together, is what the rows say; whatever raced, nothing is counted twice or not at all. */
export const expectCountersEqualRows = ({ both }: Replicas): Promise<void> => expectReconciled(...both);

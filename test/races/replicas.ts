import { expect } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { ledgerOf, sumOver } from '../support/ledger.ts';
import { type Answer, startService, type TestService } from '../support/service.ts';

/** Two processes on one database, as behind a load balancer. */
export interface Replicas {
  readonly database: TestDatabase;
  readonly both: readonly [TestService, TestService];
  stop(): Promise<void>;
}

export async function startReplicas(): Promise<Replicas> {
  const database = await createTestDatabase();
  // One issuer, or one replica would not know the other's tokens.
  const env = { PUBLIC_URL: 'https://auth.example.com', DATABASE_POOL_MAX: '10' };
  const both = await Promise.all([startService({ database, env }), startService({ database, env })]);
  return {
    database,
    both,
    async stop() {
      await Promise.all(both.map((service) => service.stop()));
      await database.drop();
    },
  };
}

/** As many callers wait at any moment; more would be told after 2.5 s that nobody knows, were the machine slow. */
const AT_ONCE = 128;

/** What became of a crowd; a caller that was told 503, which says that nothing was done, has asked again. */
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
      for (; answer.status === 503; repetitions++) answer = await call(service, n);
      answers[n] = answer;
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, AT_ONCE) }, push));
  return { answers, repetitions };
}

/** How many answers there are of each status. */
export function statuses(answers: readonly Answer[]): Record<string, number> {
  const groups = Map.groupBy(answers, ({ status }) => status);
  return Object.fromEntries([...groups].map(([status, of]) => [status, of.length]));
}

/** What both processes counted, together, is what the rows say; whatever raced, nothing is counted twice or not at all. */
export async function expectCountersEqualRows({ both, database }: Replicas): Promise<void> {
  const { created, revoked, expired, active } = await ledgerOf(database);
  const consented = await sumOver(both, 'grantex_grants_created_total', { origin: 'consent' });
  const delegated = await sumOver(both, 'grantex_grants_created_total', { origin: 'delegation' });
  expect({
    created: consented + delegated,
    revoked: await sumOver(both, 'grantex_grants_revoked_total'),
  }).toEqual({
    created,
    revoked,
  });
  expect(await sumOver(both, 'grantex_token_exchange_total', { status: 'success' })).toBe(consented);
  expect(created - revoked - expired).toBe(active);
}

import type { ChildProcess } from 'node:child_process';
import type postgres from 'postgres';
import { expect, onTestFinished } from 'vitest';
import { newParty } from '../support/flow.ts';
import { expectReconciledBut } from '../support/reconcile.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { deliveriesOnce } from '../webhooks/hooks.ts';
import { Client, type Reply } from './client.ts';
import { ANSWER_MS } from './ledger.ts';
import { isGood, startTraffic } from './traffic.ts';
import { replicaName } from './use-way.ts';
import { hold, slowHook, type Work, waitingForLock } from './works.ts';

const SECOND = 1_000;
const RECOVERY_MS = 5 * SECOND;

/** Stops the process with SIGSTOP. It continues at the end of the test at the latest. */
export function freeze({ process: child }: { process: ChildProcess }): () => void {
  const thaw = () => void child.kill('SIGCONT');
  onTestFinished(thaw);
  child.kill('SIGSTOP');
  return thaw;
}

/**
 * Sends requests until the test sees a session that waits for the lock. A wait may end before the test sees it.
 * @returns the request whose session waits
 */
async function askAndWait(sql: postgres.Sql, ask: () => Promise<Reply>): Promise<{ reply: Promise<Reply> }> {
  for (;;) {
    const reply = ask();
    const seen = waitingForLock(sql).catch(() => false);
    if (await Promise.race([seen, reply.then(() => false)])) return { reply };
    // The only valid answer is the refusal because of the lock.
    expect((await reply).status).toBe(503);
  }
}

/** Freezes one replica in the middle of the work. The others must be able to do the work within 5 s. */
export async function runFrozen(services: readonly [TestService, TestService, TestService], work: Work) {
  const [frozen, second, third] = services;
  const { sql } = frozen.database;
  const ready = await work.prepare(second);
  const other = await newParty(second, 'sandbox');
  const stuck = new Client(frozen.url);
  const client = new Client(second.url);
  const lock = await hold(sql, ready.lock);
  const { reply: answering } = await askAndWait(sql, () => ready.ask(stuck, 'frozen'));
  const thaw = freeze(frozen);
  await lock.release();
  const begun = performance.now();

  const traffic = startTraffic({ url: third.url, ...other, callers: 2, name: `beside_${other.developerId}` });
  const replies: Reply[] = [];
  await waitFor(async () => {
    replies.push(await ready.ask(client, 'second'));
    return work.done.includes(replies.at(-1)?.status ?? 0) || undefined;
  }, RECOVERY_MS);
  const freed = performance.now() - begun;
  await traffic.stop();
  thaw();
  const thawed = performance.now();
  const answered = await answering;
  await waitFor(
    async () => (await frozen.request('GET', '/health')).status === 200 || undefined,
    RECOVERY_MS,
  );
  await waitFor(
    async () => work.done.includes((await ready.ask(stuck, 'again')).status) || undefined,
    RECOVERY_MS,
  );
  const recovered = performance.now() - thawed;
  stuck.close();
  client.close();

  expect(
    replies
      .slice(0, -1)
      .map(({ status }) => status)
      .filter((status) => status !== 503),
  ).toEqual([]);
  expect(Math.max(...replies.map(({ ms }) => ms))).toBeLessThan(ANSWER_MS);
  expect(traffic.shots.filter((shot) => !isGood(shot))).toEqual([]);
  // Its time limit ended before it learned the outcome: 500 if the outcome is unknown, 503 if nothing was committed.
  expect([503, 500, ...(work.oneStatement ? work.done : [])]).toContain(answered.status);
  expect((await ready.stored(sql, 'frozen')) ?? 0).toBe(0);
  expect((await ready.stored(sql, 'second')) ?? 1).toBe(1);
  await expectReconciledBut(answered.status === 500 && work.oneStatement ? 1 : 0, ...services);
  return {
    'frozen in': work.name,
    'told meanwhile': replies.map(({ status }) => status).join(' '),
    'done by another after ms': Math.round(freed),
    'the frozen one says': answered.status,
    'recovered after ms': Math.round(recovered),
  };
}

/**
 * Freezes the replica that has delivered a webhook while it stores the outcome. Its locks are free within 5 s, the
 * others work meanwhile, and the outcome is stored in the end.
 */
export async function runFrozenSettle(services: readonly [TestService, TestService, TestService]) {
  const [one] = services;
  const { sql } = one.database;
  const party = await newParty(one, 'sandbox');
  const { hook, receiver, asked } = await slowHook(one, party);
  onTestFinished(() => receiver.close());
  await party.grant();
  const answerIt = await asked;
  const lock = await hold(sql, async (tx) => tx`select from webhook_deliveries for update`);
  answerIt();
  const name = await waitFor(async () => {
    const [row] = await sql<{ name: string }[]>`select application_name as name from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and usename <> current_user`;
    return row?.name;
  });
  const frozen = services.find((_, index) => replicaName(index) === name) ?? one;
  const other = services.find((service) => service !== frozen) ?? one;
  const thaw = freeze(frozen);
  await lock.release();
  const begun = performance.now();
  const beside = await newParty(other, 'sandbox');
  const traffic = startTraffic({ url: other.url, ...beside, callers: 2, name: 'beside_settle' });
  const silent = async () => {
    const [row] = await sql<{ n: number }[]>`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = ${name} and state like 'idle in transaction%'`;
    return row?.n;
  };
  await waitFor(async () => (await silent()) === 0 || undefined, RECOVERY_MS);
  const freed = performance.now() - begun;
  await traffic.stop();
  thaw();
  const thawed = performance.now();
  const delivered = await deliveriesOnce(other, party, hook, ({ status }) => status === 'delivered');
  const recovered = performance.now() - thawed;

  expect(delivered).toHaveLength(1);
  expect(receiver.received.length).toBeGreaterThanOrEqual(1);
  expect(traffic.shots.filter((shot) => !isGood(shot))).toEqual([]);
  await expectReconciledBut(0, ...services);
  return {
    'frozen in': 'storing what became of a webhook',
    'told meanwhile': '',
    'done by another after ms': Math.round(freed),
    'the frozen one says': '',
    'recovered after ms': Math.round(recovered),
  };
}

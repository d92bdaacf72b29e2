import { readdir, readFile } from 'node:fs/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeBlocks } from '../../deploy/programs/rules/check-runbook.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

/** More than a developer's share of the pool, so that some wait for a connection while the others wait for the lock. */
const AT_ONCE = 12;
const HOLDER = 'forgotten-psql';
const RUNBOOKS = new URL('../../deploy/runbooks/', import.meta.url);

let service: TestService;
let holder: postgres.Sql;
beforeAll(async () => {
  service = await startService();
  holder = postgres(service.database.url, { max: 1, connection: { application_name: HOLDER } });
});
afterAll(async () => {
  await holder.end({ timeout: 1 });
  await service.stop();
});

/** The SQL of a runbook, block by block, with the variable of psql filled in. */
async function sqlOf(alert: string, pid = 0): Promise<string[]> {
  const file = new URL(`${alert}.md`, RUNBOOKS);
  return codeBlocks(await readFile(file, 'utf8'), 'sql').map((text) => text.replaceAll(':pid', String(pid)));
}

/** Renames an agent in bursts, one after the other, until the returned function is called; then their statuses. */
function keepRenaming(rename: () => Promise<{ status: number }>): () => Promise<number[]> {
  let ending = false;
  const statuses: number[] = [];
  const working = (async () => {
    while (!ending) {
      const burst = Array.from({ length: AT_ONCE }, rename);
      statuses.push(...(await Promise.all(burst)).map(({ status }) => status));
    }
  })();
  return async () => {
    ending = true;
    await working;
    return statuses;
  };
}

test('every statement of every runbook is SQL that the database takes', async () => {
  const alerts = (await readdir(RUNBOOKS)).map((file) => file.replace(/\.md$/, ''));
  const texts = new Map(await Promise.all(alerts.map(async (alert) => [alert, await sqlOf(alert)] as const)));
  const lengths = Object.fromEntries(Array.from(texts, ([alert, { length }]) => [alert, length]));
  expect(lengths).toMatchObject({
    DatabaseErrors: 1,
    DatabaseConnectionsWaiting: 2,
    DatabaseStatementsEnded: 6,
    RetentionBehind: 3,
  });
  for (const [alert, text] of Array.from(texts, ([alert, all]) =>
    all.map((text) => [alert, text] as const),
  ).flat())
    await service.database.sql.unsafe(text).catch((error: Error) => {
      throw new Error(`${alert}: ${error.message}: ${text}`);
    });
  const [state] = await service.database.sql.unsafe(texts.get('DatabaseErrors')?.[0] ?? '');
  expect(state).toMatchObject({ standby: false, read_only: false });
});

test('while somebody holds a lock: metrics tell of the waiting, the runbook finds the holder, and ends it', async () => {
  const { sql } = service.database;
  const { key, agentId } = await newParty(service);
  const rename = () =>
    service.request('PATCH', `/v1/agents/${agentId}`, { key, body: { name: 'Calendar agent' } });
  const session = await holder.reserve();
  const [{ pid } = { pid: 0 }] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`;
  await session.unsafe('begin; lock table agents in share mode');
  const stop = keepRenaming(rename);

  const waiting = () =>
    service.scrape().then((scrape) => ({
      now: scrape.value('db_client_connection_waiting', { pool: 'main' }) ?? 0,
      ended: scrape.value('grantex_statements_ended_total', { by: 'lock_timeout' }) ?? 0,
      slow:
        (scrape.value('db_client_connection_wait_seconds_count', { pool: 'main' }) ?? 0) -
        (scrape.value('db_client_connection_wait_seconds_bucket', { pool: 'main', le: '0.5' }) ?? 0),
    }));
  await waitFor(async () => ((await waiting()).now > 0 ? true : undefined));
  await waitFor(async () => {
    const { ended, slow } = await waiting();
    return ended > 5 && slow > 0 ? true : undefined;
  });

  const [holders = '', locks = '', , , cancel = '', terminate = ''] = await sqlOf(
    'DatabaseStatementsEnded',
    pid,
  );
  const found = await waitFor(async () => (await sql.unsafe(holders)).at(0));
  expect(found).toMatchObject({ pid, application_name: HOLDER, state: 'idle in transaction' });
  expect(Number(found['holds_up'])).toBeGreaterThan(0);
  expect((await sql.unsafe(locks)).at(0)).toMatchObject({
    pid,
    relation: 'agents',
    mode: 'ShareLock',
    granted: true,
  });
  expect(await sql.unsafe(cancel)).toEqual([{ pg_cancel_backend: true }]);
  expect(await sql.unsafe(terminate)).toEqual([{ pg_terminate_backend: true }]);

  await waitFor(async () => ((await rename()).status === 200 ? true : undefined));
  expect((await stop()).filter((status) => status >= 500).length).toBeGreaterThan(5);
  await waitFor(async () => ((await waiting()).now === 0 ? true : undefined));
});

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Reconciliation } from '../../src/reconciliation/reconcile.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, temporaryDirectory } from '../support/service.ts';

let database: TestDatabase;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  database = await createTestDatabase();
  directory = await temporaryDirectory();
});
afterAll(async () => {
  await database.drop();
  await directory.remove();
});

const start = () => startService({ database, env: { JWT_ISSUER: 'https://auth.example.com' } });
const command = (services: readonly TestService[], args: readonly string[]) =>
  [
    'reconcile',
    ['--scrape', services.map(({ url }) => `${url}/metrics`).join(','), ...args],
    { DATABASE_URL: database.url },
  ] as const;
/** What it writes when everything is equal or explained. */
const equalBy = (services: readonly TestService[], ...args: string[]) =>
  npmOutput(...command(services, args));

/** Something of everything that leaves rows; the second of the grants falls with its delegated one. */
async function live(service: TestService, party: Party): Promise<void> {
  const { key, agentId } = party;
  const [kept, fallen] = [await party.grant(), await party.grant()];
  await party.delegate(kept.grantToken);
  await party.delegate(fallen.grantToken);
  const body = { refreshToken: kept.refreshToken, agentId };
  expect((await service.request('POST', '/v1/token/refresh', { key, body })).status).toBe(201);
  expect((await service.request('DELETE', `/v1/grants/${fallen.grantId}`, { key })).status).toBe(204);
  expect((await service.request('POST', '/v1/token', { key, body: { code: 'none', agentId } })).status).toBe(
    400,
  );
}

/** An agent that goes, with requests, grants, refreshes. */
async function livedAndGone(service: TestService, party: Party): Promise<void> {
  const { key } = party;
  const agentId = await party.newAgent();
  await party.authorize({ agentId });
  const { refreshToken } = await party.grant({ agentId });
  const body = { refreshToken, agentId };
  expect((await service.request('POST', '/v1/token/refresh', { key, body })).status).toBe(201);
  expect((await service.request('DELETE', `/v1/agents/${agentId}`, { key })).status).toBe(204);
}

const found = (stdout: string, what: string) => {
  const { findings }: Reconciliation = JSON.parse(stdout);
  const { counted, least, most, verdict } = findings.find((one) => one.what === what) ?? {};
  return { counted, least, most, verdict };
};

test('two replicas: equal together, and neither is alone; a killed one is explained by its last figures', async () => {
  const services = [await start(), await start()] as const;
  const [first, second] = services;
  const party = await newParty(first, 'sandbox');
  await live(first, party);
  const { apiKey } = await second.signup({ mode: 'sandbox' });
  const other = await newParty(second, 'sandbox');
  await live(second, other);
  await livedAndGone(second, other);
  expect(apiKey).not.toBe(party.key);

  const together = await equalBy(services, '--json');
  const equal = (value: number) => ({ counted: value, least: value, most: value, verdict: 'equal' });
  expect(found(together, 'authorizations')).toEqual(equal(6));
  expect(found(together, 'exchanges')).toEqual(equal(5));
  expect(found(together, 'refreshes')).toEqual(equal(3));
  expect(found(together, 'created, consent')).toEqual(equal(5));
  expect(found(together, 'created, delegation')).toEqual(equal(4));
  expect(found(together, 'revoked')).toEqual(equal(5));
  expect(found(together, 'active grants')).toEqual(equal(4));
  const alone = await npmRun(...command([first], ['--patience', '1']));
  expect(alone.code).toBe(1);
  expect(alone.stdout).toMatch(/\| exchanges +\| 2 +\| 5 +\| differs/);
  expect(alone.stdout).toContain('begin with --snapshot');

  const file = join(directory.path, 'base.json');
  await equalBy(services, '--snapshot', file);
  expect(JSON.parse(await readFile(file, 'utf8')).processes).toHaveLength(2);
  await live(first, party);
  const since = await equalBy(services, '--since', file, '--json');
  expect(found(since, 'exchanges')).toEqual(equal(2));
  expect(found(since, 'revoked')).toEqual(equal(2));

  await live(second, other);
  const exited = once(second.process, 'exit');
  second.process.kill('SIGKILL');
  await exited;
  const killed = await equalBy([first], '--since', file, '--patience', '5');
  expect(killed).toMatch(/\| exchanges +\| 2 +\| 4 +\| 2 not counted \(at most \d+\)/);
  expect(killed).toContain('1 living process, 1 without a last count');
  expect(killed).toMatch(/^equal but for at most \d+ events after the last scrape of process [\da-f-]{36}$/m);
  expect(await first.stop()).toBe(0);
});

test('a counter that lies is named', async () => {
  const own = await startService();
  const party = await newParty(own, 'sandbox');
  const { grantId } = await party.grant();
  const urls = ['--scrape', `${own.url}/metrics`];
  const env = { DATABASE_URL: own.database.url };
  const reconcile = (...args: string[]) => npmRun('reconcile', [...urls, ...args], env);
  await npmOutput('reconcile', urls, env);
  // A row without an event: a grant that nobody counted.
  await own.database
    .sql`insert into grants select (jsonb_populate_record(grants, jsonb_build_object('id', 'grnt_forged'))).*
    from grants where id = ${grantId}`;
  const { code, stdout } = await reconcile('--patience', '4');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^differs: exchanges; requests, exchanged; created, consent$/m);
  expect(stdout).toMatch(/\| created, consent +\| 1 +\| 2 +\| differs/);
  // And the reverse: a count of something that is not there.
  await own.database.sql`delete from grants where id in (${grantId}, 'grnt_forged')`;
  const gone = await reconcile('--patience', '4');
  expect(gone.code).toBe(1);
  expect(gone.stdout).toMatch(/\| exchanges +\| 1 +\| 0 +\| differs/);
  expect(await own.stop()).toBe(0);
});

test('what it cannot use or reach has exit codes of its own', async () => {
  const env = { DATABASE_URL: database.url };
  const outcomes = await Promise.all([
    npmRun('reconcile', ['--scrape', 'nowhere'], env),
    npmRun('reconcile', ['--since', join(directory.path, 'none.json')], env),
    npmRun('reconcile', ['--scrape', 'http://127.0.0.1:9/metrics'], env),
    npmRun('reconcile', ['--prometheus', 'http://127.0.0.1:9'], env),
    npmRun('reconcile', [], { DATABASE_URL: 'nonsense' }),
    npmRun('reconcile', ['--help'], {}),
  ]);
  expect(outcomes.map(({ code }) => code)).toEqual([2, 2, 3, 3, 78, 0]);
  expect(outcomes[2]?.stderr).toContain('http://127.0.0.1:9/metrics does not answer');
});

import { createHash } from 'node:crypto';
import { METHODS } from 'node:http';
import { expect, test } from 'vitest';
import { memoryOf } from '../load/cpu.ts';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { parseScrape, type Scrape } from '../support/scrape.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { type Client, spread } from './client.ts';
import { expectProperAnswers } from './ledger.ts';
import { startOwnService } from './own-service.ts';
import { startDeafScrapers, startScrapers } from './scrapers.ts';
import { isGood, startTraffic } from './traffic.ts';

const MINUTE = 60_000;
const MEBIBYTE = 1 << 20;
/** The night asks for 20,000 URLs and 10,000 agents. */
const URLS = Number(process.env['UNKNOWN_URLS'] ?? 6_000);
const AGENTS = URLS / 2;
const AGENT_LIMIT = 500;
const WIDTH = 16;
const SCRAPERS = 50;
const DEAF = 5;

/** Real and invented methods, without CONNECT, which asks for a tunnel. */
const VERBS = [...METHODS.filter((method) => method !== 'CONNECT'), 'FROBNICATE', 'GETT'];
const SHAPES = [
  (n: number) => `/scan/${n}`,
  (n: number) => `/wp-content/plugins/${n}/readme.txt?v=${n}`,
  (n: number) => `/v1/unknown/${n}`,
  (n: number) => `/v1/grants/grnt_${n}/nothing`,
  (n: number) => `/%e2%82%ac/${n}`,
  (n: number) => `/health/${n}`,
];

const urlWork = async (client: Client, index: number): Promise<void> => {
  const path = SHAPES[index % SHAPES.length]?.(index) ?? '/';
  const { status } = await client.send({ method: VERBS[index % VERBS.length] ?? 'GET', path });
  expect([400, 404]).toContain(status);
};

const keyOf = (index: number) => `gx_live_cardinality_${index}`;
const agentOf = (index: number) => `ag_cardinality_${index}`;
const authorize = async (client: Client, key: string, agentId: string): Promise<void> => {
  const body = { agentId, principalId: 'user_1', scopes: ['calendar:read'] };
  expect((await client.send({ method: 'POST', path: '/v1/authorize', key, body })).status).toBe(201);
};

async function measure(service: TestService) {
  const { text } = await service.scrape();
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  // Families of the runtime, such as those of garbage collection, do not depend on callers.
  const ours = series.filter((line) => /^(grantex|db)_/.test(line));
  return {
    text,
    series: series.length,
    ours: ours.length,
    names: ours.map((line) => line.replace(/ \S+$/, '')),
  };
}

/** With the maximum number of series: concurrent scrapers, some that never read, and requests at the same time. */
async function expectStormWeathered(service: TestService): Promise<void> {
  const party = await newParty(service, 'sandbox');
  const endDeaf = startDeafScrapers(service.url, DEAF);
  const traffic = startTraffic({ url: service.url, ...party });
  const scrapers = startScrapers(service.url, SCRAPERS);
  const scrapes = () => scrapers.seen.flat();
  await waitFor(
    () => (scrapes().length >= 10 * SCRAPERS && traffic.shots.length >= 200) || undefined,
    MINUTE,
  );
  await scrapers.stop();
  await traffic.stop();
  endDeaf();
  const { text, value } = await service.scrape();
  const delay = (quantile: string) =>
    Math.round((value(`nodejs_eventloop_delay_${quantile}_seconds`) ?? -1) * 1e3);
  printTable(`${SCRAPERS} scrapers and ${DEAF} that never read`, [
    {
      scrapes: scrapes().length,
      'KiB each': Math.round(text.length / 1024),
      'slowest scrape ms': Math.round(Math.max(...scrapes().map(({ ms }) => ms))),
      'other requests': traffic.shots.length,
      'slowest of them ms': Math.round(Math.max(...traffic.shots.map(({ reply }) => reply.ms))),
      'event loop p50 ms': delay('p50'),
      'p99 ms': delay('p99'),
      'resident MiB': memoryOf(service.process.pid ?? 0),
    },
  ]);
  expect(scrapes().filter(({ status }) => status !== 200)).toEqual([]);
  expect(traffic.shots.filter((shot) => !isGood(shot))).toEqual([]);
  expectProperAnswers(traffic.shots);
}

const agentsSeen = (scrape: Scrape) =>
  new Set(scrape.labelSets('grantex_agent_authorize_total').map(({ agent_id: id }) => id)).size;

test(
  'unknown URLs, agents and developers without number: the exposition stays as it is',
  async () => {
    const service = await startOwnService();
    const { sql } = service.database;
    const party = await newParty(service);
    await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
      select ${agentOf(0)} || n, ${party.developerId}, 'One of many', '', '{}', 'active', now(), now()
      from generate_series(0, ${AGENTS - 1}) n`;
    const developers = Array.from({ length: AGENTS }, (_, index) => ({
      id: `dev_cardinality_${index}`,
      hash: createHash('sha256').update(keyOf(index)).digest('hex'),
    }));
    await sql`insert into developers (id, name, mode, api_key_hash, created_at)
      select id, 'One of many', 'live', decode(hash, 'hex'), now()
      from unnest(${developers.map(({ id }) => id)}::text[], ${developers.map(({ hash }) => hash)}::text[]) as one (id, hash)`;
    await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
      select 'ag_of_' || id, id, 'One of many', '', '{}', 'active', now(), now() from developers where id like 'dev_card%'`;

    const ofParty = (client: Client, index: number) => authorize(client, party.key, `${agentOf(0)}${index}`);
    const ofDeveloper = (client: Client, index: number) =>
      authorize(client, keyOf(index), `ag_of_dev_cardinality_${index}`);
    const rows: Record<string, string | number>[] = [];
    const note = async (after: string) => {
      const { text, series, ours, names } = await measure(service);
      rows.push({
        after,
        series,
        'of the service': ours,
        KiB: Math.round(text.length / 1024),
        agents: agentsSeen(parseScrape(text)),
      });
      return { text, names };
    };

    await note('start');
    await spread(service.url, { count: 500, width: WIDTH }, urlWork);
    await spread(service.url, { count: AGENT_LIMIT + 100, width: WIDTH }, ofParty);
    const bounded = await note('past the bound');
    await spread(service.url, { count: URLS, width: WIDTH }, urlWork);
    const urls = await note(`${URLS} unknown URLs`);
    await spread(service.url, { count: AGENTS, width: WIDTH }, ofParty);
    const agents = await note(`${AGENTS} agents`);
    await spread(service.url, { count: AGENTS, width: WIDTH }, ofDeveloper);
    const developed = await note(`${AGENTS} developers`);
    printTable('cardinality', rows);

    for (const { text, names } of [urls, agents, developed]) {
      expect(names).toEqual(bounded.names);
      expect(text.length).toBeLessThan(MEBIBYTE);
      expect(agentsSeen(parseScrape(text))).toBe(AGENT_LIMIT + 1);
    }
    const last = parseScrape(developed.text);
    expect(last.value('grantex_authorize_total', { status: 'success' })).toBe(AGENT_LIMIT + 100 + 2 * AGENTS);
    const other = { status: 'success', agent_id: 'other' };
    expect(last.value('grantex_agent_authorize_total', other)).toBeGreaterThan(AGENTS);
    await expectStormWeathered(service);
    await expectReconciled(service);
    expect(await service.stop()).toBe(0);
  },
  10 * MINUTE,
);

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { memoryOf } from '../load/cpu.ts';
import { printTable } from '../load/table.ts';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import type { TestService } from '../support/service.ts';
import { type Client, type Sending, spread } from './client.ts';
import { startOwnService } from './own-service.ts';

const MINUTE = 60_000;
const FIXTURE = fileURLToPath(new URL('fixtures/gc.ts', import.meta.url));
const FIRST = 10_000;
/** The night asks for more. */
const ALL = Number(process.env['MEMORY_REQUESTS'] ?? 25_000);
const WIDTH = 16;
/** The allowed growth of memory after the second part of the work. */
const GROWTH = 1.1;

type Piece = (index: number) => [status: number, sending: Sending];
const LONG = 'x'.repeat(10_000);

/** Valid and invalid requests in turn, each with its expected status. */
function mixOf({ key, agentId }: Party, { grantToken }: TokenPair): Piece[] {
  const post = (path: string, body: unknown, as?: string): Sending => ({
    method: 'POST',
    path,
    body,
    ...(as !== undefined && { key: as }),
  });
  const authorize = (fields: object) =>
    post('/v1/authorize', { agentId, principalId: 'user_1', scopes: ['a:b'], ...fields }, key);
  return [
    () => [200, post('/v1/tokens/verify', { token: grantToken }, key)],
    (n) => [201, authorize({ principalId: `user_${n}` })],
    (n) => [404, { method: 'GET', path: `/nothing/${n}` }],
    () => [200, { method: 'GET', path: '/v1/me', key }],
    (n) => [200, post('/v1/tokens/verify', { token: `garbage.${n}` }, key)],
    (n) => [400, post('/v1/token', { code: `code_${n}`, agentId }, key)],
    (n) => [401, post('/v1/tokens/verify', { token: grantToken }, `gx_live_wrong_${n}`)],
    () => [400, post('/v1/authorize', { agentId: 7, scopes: LONG }, key)],
    (n) => [404, authorize({ agentId: `ag_${n}` })],
    (n) => [400, post('/v1/token/refresh', { refreshToken: `ref_${n}`, agentId }, key)],
    (n) => [404, { method: 'DELETE', path: `/v1/grants/grnt_${n}`, key }],
    () => [400, post('/v1/agents', { name: LONG.repeat(8) }, key)],
    (n) => [404, { method: 'GET', path: `/v1/consent/areq_${n}` }],
    () => [200, { method: 'GET', path: '/health' }],
    () => [200, { method: 'GET', path: '/.well-known/jwks.json' }],
    (n) => [404, { method: 'PUT', path: `/v1/agents/${n}?page=${n}` }],
    () => [200, { method: 'GET', path: '/health/live' }],
    (n) => [401, { method: 'GET', path: `/v1/grants/${n}` }],
  ];
}

interface Memory {
  /** Resident memory, and the used heap within it, in MiB. */
  readonly resident: number;
  readonly heap: number;
}

/** The memory that the process needs. It collects garbage until the memory no longer decreases. */
async function settled(service: TestService): Promise<Memory> {
  let [least, steady] = [Number.POSITIVE_INFINITY, 0];
  for (let count = collections(service); steady < 10; count++) {
    service.process.kill('SIGUSR2');
    await service.logged('heap.collected', count + 1);
    const now = memoryOf(service.process.pid ?? 0);
    steady = now < least ? 0 : steady + 1;
    least = Math.min(least, now);
  }
  const heaps = (await service.logged('heap.collected')).slice(-10).map(({ heapMiB }) => Number(heapMiB));
  return { resident: least, heap: Math.round(10 * Math.min(...heaps)) / 10 };
}
const collections = ({ logs }: TestService) => logs.filter(({ msg }) => msg === 'heap.collected').length;

test(
  `memory after ${ALL} good and bad requests is that after the first ${FIRST}`,
  async () => {
    const service = await startOwnService({ env: { NODE_OPTIONS: `--import=${FIXTURE}` } });
    const party = await newParty(service);
    const mix = mixOf(party, await party.grant());
    const drive = (from: number, to: number) =>
      spread(service.url, { count: to - from, width: WIDTH }, async (client: Client, index) => {
        const [status, sending] = mix[index % mix.length]?.(from + index) ?? [0, { method: '', path: '' }];
        expect([sending.path, (await client.send(sending)).status]).toEqual([sending.path, status]);
      });
    const begun = performance.now();
    const start = await settled(service);
    await drive(0, FIRST);
    const first = await settled(service);
    await drive(FIRST, ALL);
    const last = await settled(service);
    printTable(
      `memory, ${ALL} requests in ${Math.round((performance.now() - begun) / 1000)} s`,
      [
        { after: 'start', ...start },
        { after: `${FIRST} requests`, ...first },
        { after: `${ALL} requests`, ...last },
      ].map(({ after, resident, heap }) => ({ after, 'resident MiB': resident, 'heap MiB': heap })),
    );
    expect(last.resident).toBeLessThan(first.resident * GROWTH);
    expect(last.heap).toBeLessThan(first.heap * GROWTH);
    expect(await service.stop()).toBe(0);
  },
  // It takes 40 s on an idle machine.
  Math.max(10, ALL / 10_000) * MINUTE,
);

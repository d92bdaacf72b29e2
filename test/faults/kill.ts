import { once } from 'node:events';
import { expect } from 'vitest';
import { printTable } from '../load/table.ts';
import type { Party } from '../support/flow.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { spread } from './client.ts';
import { isGood, type Shot, startTraffic } from './traffic.ts';

const SECOND = 1_000;
const TOKENS = new Set(['exchange', 'refresh', 'delegate']);

/** Runs load until `count` requests have succeeded, then kills the service during the load. @returns all requests */
export async function killUnderLoad(
  service: TestService,
  party: Party,
  count: number,
): Promise<readonly Shot[]> {
  const traffic = startTraffic({ url: service.url, ...party });
  await waitFor(() => traffic.shots.length >= count || undefined, 30 * SECOND);
  const exited = once(service.process, 'exit');
  service.process.kill('SIGKILL');
  await exited;
  await traffic.stop();
  return traffic.shots;
}

/** Every token pair that a caller received works, unless the caller revoked its grant or used its refresh token. */
export async function expectPairsWork(
  service: TestService,
  party: Party,
  shots: readonly Shot[],
): Promise<number> {
  const ofKind = (...kinds: string[]) => shots.filter((shot) => kinds.includes(shot.kind));
  const revoking = new Set(ofKind('revoke').map(({ grantId }) => grantId));
  const used = new Set(ofKind('refresh').map(({ sending }) => (sending.body as Pair).refreshToken));
  const pairs = shots.filter((shot) => TOKENS.has(shot.kind) && isGood(shot));
  const root = ({ grantId, reply }: Shot): string => grantId ?? reply.body.grantId;
  const living = pairs.filter((shot) => !revoking.has(root(shot))).map(({ reply }): Pair => reply.body);
  await spread(service.url, { count: living.length, width: 8 }, async (client, index) => {
    const { grantToken, refreshToken } = living[index] ?? NO_PAIR;
    const { key, agentId } = party;
    const verify = { method: 'POST', path: '/v1/tokens/verify', key, body: { token: grantToken } };
    expect((await client.send(verify)).body).toMatchObject({ valid: true });
    if (used.has(refreshToken)) return;
    const refresh = { method: 'POST', path: '/v1/token/refresh', key, body: { agentId, refreshToken } };
    expect((await client.send(refresh)).status).toBe(201);
  });
  return living.length;
}
interface Pair {
  readonly grantToken: string;
  readonly refreshToken: string;
}
const NO_PAIR: Pair = { grantToken: '', refreshToken: '' };

export const printKill = (title: string, shots: readonly Shot[], pairs: number, again: number) =>
  printTable(title, [
    {
      requests: shots.length,
      answered: shots.filter(isGood).length,
      'without an answer': shots.filter(({ reply }) => reply.status === 0).length,
      'pairs tried again': pairs,
      'next start ms': Math.round(again),
    },
  ]);

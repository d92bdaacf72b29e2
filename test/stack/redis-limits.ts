import { expect } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { type Answer, type LogLine, startService, type TestService, waitFor } from '../support/service.ts';

/** Generous, for a busy machine. */
const PATIENCE_MS = 30_000;

/**
 * Starts a service that allows 100 requests for consent and 3 sign-ups for each address. The request names its address.
 */
export const startLimited = (url: string, database: TestDatabase, env: Record<string, string> = {}) =>
  startService({
    database,
    env: {
      REDIS_URL: url,
      RATE_LIMIT_ENABLED: 'true',
      RATE_LIMITS: 'consent=100/3600,signup=3/3600',
      TRUST_PROXY: 'loopback',
      ...env,
    },
  });

const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip } });

/** Requests an unknown consent: 404, or 429 at the limit. */
export const ask = (service: TestService, ip: string): Promise<Answer> =>
  service.request('GET', '/v1/consent/areq_x', from(ip));

/** Signs up: 201, or 429 at the limit. */
export const signup = async (service: TestService, ip: string): Promise<number> =>
  (await service.request('POST', '/v1/signup', { body: { name: 'Acme' }, ...from(ip) })).status;

const remaining = async (service: TestService, ip: string) =>
  Number((await ask(service, ip)).headers.get('x-ratelimit-remaining'));

/** The calls to Redis so far, by outcome. */
export async function calls(service: TestService): Promise<Record<'ok' | 'error' | 'timeout', number>> {
  const scrape = await service.scrape();
  const of = (outcome: string) =>
    scrape.value('redis_client_operation_duration_seconds_count', { outcome }) ?? 0;
  return { ok: of('ok'), error: of('error'), timeout: of('timeout') };
}

/** Waits until a replica has reached Redis. Before that, it serves and counts for itself. */
export const reached = (service: TestService): Promise<true> =>
  waitFor(async () => (await calls(service)).ok > 0 || undefined, PATIENCE_MS);

/** Both replicas share one limit: each request to either lowers the rest by one. */
export async function isShared(one: TestService, other: TestService, ip: string): Promise<void> {
  const left = await remaining(one, ip);
  expect([await remaining(other, ip), await remaining(one, ip), await remaining(other, ip)]).toEqual([
    left - 1,
    left - 2,
    left - 3,
  ]);
}

/** Follows the service's log lines about Redis, from line number `begun` on. */
export function watch(service: TestService, begun = service.logs.length) {
  const lines = () => service.logs.slice(begun).filter(({ msg }) => msg.startsWith('redis.'));
  const next = (msg: string): Promise<LogLine> =>
    waitFor(() => lines().find((line) => line.msg === msg), PATIENCE_MS);
  return {
    lines,
    lost: () => next('redis.connection_error'),
    restored: () => next('redis.connection_restored'),
  };
}

import { expect } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { type Answer, type LogLine, startService, type TestService, waitFor } from '../support/service.ts';

/** Even on a machine that is busy otherwise. */
const PATIENCE_MS = 30_000;

/** A service whose limits are 100 questions and 3 sign-ups, by the address that the request claims. */
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

/** A question that finds nothing: 404, or 429. */
export const ask = (service: TestService, ip: string): Promise<Answer> =>
  service.request('GET', '/v1/consent/areq_x', from(ip));

/** 201, or 429. */
export const signup = async (service: TestService, ip: string): Promise<number> =>
  (await service.request('POST', '/v1/signup', { body: { name: 'Acme' }, ...from(ip) })).status;

const remaining = async (service: TestService, ip: string) =>
  Number((await ask(service, ip)).headers.get('x-ratelimit-remaining'));

/** Calls of Redis so far, by outcome. */
export async function calls(service: TestService): Promise<Record<'ok' | 'error' | 'timeout', number>> {
  const scrape = await service.scrape();
  const of = (outcome: string) =>
    scrape.value('redis_client_operation_duration_seconds_count', { outcome }) ?? 0;
  return { ok: of('ok'), error: of('error'), timeout: of('timeout') };
}

/** Replicas serve before they have reached Redis, and count for themselves until then. */
export const reached = (service: TestService): Promise<true> =>
  waitFor(async () => (await calls(service)).ok > 0 || undefined, PATIENCE_MS);

/** Both replicas take from one limit: what is left goes down by one, whichever is asked. */
export async function isShared(one: TestService, other: TestService, ip: string): Promise<void> {
  const left = await remaining(one, ip);
  expect([await remaining(other, ip), await remaining(one, ip), await remaining(other, ip)]).toEqual([
    left - 1,
    left - 2,
    left - 3,
  ]);
}

/** Follows what a service says of Redis, from its line number `begun` on. */
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

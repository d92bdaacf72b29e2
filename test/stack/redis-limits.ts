import { expect } from 'vitest';
import { type Answer, type TestService, waitFor } from '../support/service.ts';

/** A public request under the limit `consent`, which finds nothing: 404, or 429. */
export const ask = (service: TestService): Promise<Answer> => service.request('GET', '/v1/consent/areq_x');

const remaining = async (service: TestService) =>
  Number((await ask(service)).headers.get('x-ratelimit-remaining'));

/** Calls of Redis so far, by outcome. */
export async function calls(service: TestService): Promise<Record<'ok' | 'error' | 'timeout', number>> {
  const scrape = await service.scrape();
  const of = (outcome: string) =>
    scrape.value('redis_client_operation_duration_seconds_count', { outcome }) ?? 0;
  return { ok: of('ok'), error: of('error'), timeout: of('timeout') };
}

/** Replicas serve before they have reached Redis, and count for themselves until then. */
export const reached = (service: TestService): Promise<true> =>
  waitFor(async () => (await calls(service)).ok > 0 || undefined, 15_000);

/** Both replicas take from one limit: what is left goes down by one, whichever is asked. */
export async function isShared(one: TestService, other: TestService): Promise<void> {
  const left = await remaining(one);
  expect([await remaining(other), await remaining(one), await remaining(other)]).toEqual([
    left - 1,
    left - 2,
    left - 3,
  ]);
}

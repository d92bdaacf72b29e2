import { setTimeout as delay } from 'node:timers/promises';
import { newParty, type Party } from '../../support/flow.ts';
import type { TestService } from '../../support/service.ts';
import { hook } from '../../webhooks/hooks.ts';
import { answer, startReceiver } from '../../webhooks/receiver.ts';

/** A real fault of the service, and the alert that must report it. */
export interface Fault {
  readonly name: string;
  readonly alert: string;
  /** The label values that only alerts about this fault have. */
  readonly labels: Readonly<Record<string, string>>;
  /** With which the alert fires; absent: both. */
  readonly severities?: readonly ['warning'];
  /** Starts the fault. @returns a function that ends it */
  begin(): Promise<() => Promise<void>>;
}

/** The rate limits for these drills. Only verification reaches its limit soon. */
export const DRILL_ENV = {
  RATE_LIMIT_ENABLED: 'true',
  RATE_LIMITS:
    'api=6000/60,authorize=6000/60,token=6000/60,refresh=6000/60,consent=6000/60,signup=100/60,verify=5/60',
  DATABASE_POOL_MAX: '10',
  WEBHOOK_MAX_ATTEMPTS: '2',
};

/** Repeats `act` in a fixed interval. @returns a function that ends it and throws the first failure of `act` */
export function keepOn(everyMs: number, act: () => Promise<unknown>): () => Promise<void> {
  const ending = new AbortController();
  const working = (async () => {
    while (!ending.signal.aborted) {
      await act();
      await delay(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  working.catch(() => undefined);
  return () => {
    ending.abort();
    return working;
  };
}

/**
 * One fault with several alerts. It begins once and ends when the drills of all its alerts have ended it.
 * @param alerts their names, with the labels that only alerts about this fault have
 */
export function faultBehind(
  name: string,
  alerts: Readonly<Record<string, Fault['labels']>>,
  begin: Fault['begin'],
): readonly Fault[] {
  let begun: ReturnType<Fault['begin']> | undefined;
  let mended: Promise<void> | undefined;
  let left = Object.keys(alerts).length;
  const allAsked = Promise.withResolvers<void>();
  return Object.entries(alerts).map(([alert, labels]) => ({
    name,
    alert,
    labels,
    async begin() {
      begun ??= begin();
      const mend = await begun;
      return async () => {
        if (--left === 0) allAsked.resolve();
        await allAsked.promise;
        mended ??= mend();
        await mended;
      };
    },
  }));
}

async function expectStatus(
  service: TestService,
  { key }: Party,
  path: string,
  body: unknown,
  ...expected: readonly number[]
): Promise<{ refreshToken: string }> {
  const answered = await service.request('POST', path, { key, body });
  if (!expected.includes(answered.status))
    throw new Error(`${path}: ${answered.status} ${JSON.stringify(answered.body)}`);
  return answered.body;
}

/** Prepares all faults before the first one begins, because they need a working service. */
export async function prepareFaults(service: TestService): Promise<readonly Fault[]> {
  const prepared = [badCodes, reusedRefreshTokens, brokenReceiver, flood, wrongKeys, slowDatabase];
  return Promise.all(prepared.map((prepare) => prepare(service)));
}

async function badCodes(service: TestService): Promise<Fault> {
  const party = await newParty(service);
  const code = await party.consent();
  await party.exchange(code);
  return {
    name: 'bad codes',
    alert: 'HighTokenExchangeFailureRate',
    labels: {},
    async begin() {
      const { agentId } = party;
      // The reuse of a code revokes its grant. The log has a line about it, and the runbook's filter finds it.
      await expectStatus(service, party, '/v1/token', { code, agentId }, 400);
      return keepOn(100, () => expectStatus(service, party, '/v1/token', { code: `${code}x`, agentId }, 400));
    },
  };
}

async function reusedRefreshTokens(service: TestService): Promise<Fault> {
  const party = await newParty(service);
  const { agentId } = party;
  const { refreshToken } = await party.grant();
  await expectStatus(service, party, '/v1/token/refresh', { refreshToken, agentId }, 201);
  return {
    name: 'reused refresh tokens',
    alert: 'HighTokenRefreshFailureRate',
    labels: {},
    begin: async () =>
      keepOn(100, () => expectStatus(service, party, '/v1/token/refresh', { refreshToken, agentId }, 400)),
  };
}

async function brokenReceiver(service: TestService): Promise<Fault> {
  const party = await newParty(service);
  const { agentId } = party;
  let { refreshToken } = await party.grant();
  const receiver = await startReceiver(answer(500));
  return {
    name: 'a broken receiver',
    alert: 'WebhookDeliveryFailure',
    labels: {},
    async begin() {
      const { id } = await hook(service, party, receiver.url, ['token.issued']);
      const stop = keepOn(500, async () => {
        ({ refreshToken } = await expectStatus(
          service,
          party,
          '/v1/token/refresh',
          { refreshToken, agentId },
          201,
        ));
      });
      return async () => {
        await stop();
        // A developer would do the same. The removal also removes the pending deliveries.
        await service.request('DELETE', `/v1/webhooks/${id}`, { key: party.key });
        await receiver.close();
      };
    },
  };
}

async function flood(service: TestService): Promise<Fault> {
  const party = await newParty(service);
  return {
    name: 'a flood over a rate limit',
    alert: 'HighRateLimitRate',
    labels: {},
    begin: async () =>
      keepOn(50, () => expectStatus(service, party, '/v1/tokens/verify', { token: 'none' }, 200, 429)),
  };
}

async function wrongKeys(service: TestService): Promise<Fault> {
  const guess = async () => {
    const { status } = await service.request('GET', '/v1/me', { key: 'gx_live_nobody_has_this_key' });
    if (status !== 401) throw new Error(`a wrong key: ${status}`);
  };
  return {
    name: 'wrong API keys',
    alert: 'AuthenticationFailures',
    labels: {},
    begin: async () => keepOn(100, guess),
  };
}

async function slowDatabase(service: TestService): Promise<Fault> {
  const party = await newParty(service);
  const { agentId } = party;
  const { sql } = service.database;
  const request = { agentId, principalId: 'user_1', scopes: ['calendar:read'] };
  return {
    name: 'a slowed database',
    alert: 'HighAuthLatency',
    labels: {},
    async begin() {
      await sql.unsafe(`
        create function stall() returns trigger language plpgsql
          as 'begin perform pg_sleep(2.2); return null; end';
        create trigger stall after insert on authorization_requests
          for each statement execute function stall()`);
      // A request beyond its deadline is a 500 and still counts as slow.
      const callers = [0, 1, 2, 3].map(() =>
        keepOn(50, () => expectStatus(service, party, '/v1/authorize', request, 201, 500, 503)),
      );
      return async () => {
        await Promise.all(callers.map((stop) => stop()));
        await sql.unsafe('drop function stall cascade');
      };
    },
  };
}

import { expect } from 'vitest';
import { deliveryLedgerOf, type Ledger, ledgerOf } from '../support/ledger.ts';
import type { Scrape } from '../support/scrape.ts';
import type { TestService } from '../support/service.ts';
import { at } from './at.ts';
import { principalId } from './given.ts';
import type { Model } from './model.ts';
import type { Real } from './real.ts';
import { type Counts, noCounts } from './state.ts';
import { compareWebhooks } from './webhooks/compare.ts';

/** Where each count of the model stands on `/metrics`. */
const SERIES: Readonly<Record<keyof Counts, readonly [string, Record<string, string>?]>> = {
  'authorize/success': ['grantex_authorize_total', { status: 'success' }],
  'authorize/denied': ['grantex_authorize_total', { status: 'denied' }],
  'authorize/error': ['grantex_authorize_total', { status: 'error' }],
  'exchange/success': ['grantex_token_exchange_total', { status: 'success' }],
  'exchange/error': ['grantex_token_exchange_total', { status: 'error' }],
  'refresh/success': ['grantex_token_refresh_total', { status: 'success' }],
  'refresh/error': ['grantex_token_refresh_total', { status: 'error' }],
  'verify/valid': ['grantex_token_verifications_total', { result: 'valid' }],
  'verify/invalid': ['grantex_token_verifications_total', { result: 'invalid' }],
  'created/consent': ['grantex_grants_created_total', { origin: 'consent' }],
  'created/delegation': ['grantex_grants_created_total', { origin: 'delegation' }],
  'decided/approved': ['grantex_consent_decisions_total', { decision: 'approved' }],
  'decided/denied': ['grantex_consent_decisions_total', { decision: 'denied' }],
  revoked: ['grantex_grants_revoked_total'],
};

export function countsOf(scrape: Scrape): Counts {
  const counts = noCounts();
  for (const key of Object.keys(counts) as (keyof Counts)[]) {
    const [name, labels] = SERIES[key];
    counts[key] = scrape.value(name, labels) ?? Number.NaN;
  }
  return counts;
}

/** What the service had counted and stored before the run began: one service serves all runs. */
export interface Before {
  readonly counts: Counts;
  readonly ledger: Ledger;
  readonly deliveries: number;
}

export async function before(service: TestService): Promise<Before> {
  const { delivered, failed, pending } = await deliveryLedgerOf(service.database);
  return {
    counts: countsOf(await service.scrape()),
    ledger: await ledgerOf(service.database),
    deliveries: delivered + failed + pending,
  };
}

const plus = <T extends object>(a: T, b: T): T =>
  Object.fromEntries(
    Object.entries(a).map(([key, value]) => [key, value + (b as Record<string, number>)[key]]),
  ) as T;

/** Looks at everything that an outsider can see, and holds it against the model. */
export async function compare(model: Model, real: Real, before: Before): Promise<void> {
  await Promise.all([
    ...real.given.developers.map((_, developer) => compareGrants(model, real, developer)),
    compareTokens(model, real),
    real.policies.compare(model.policies),
    real.sessions.compare(model),
    compareWebhooks(model, real, before.deliveries),
    ledgerOf(real.service.database).then((ledger) =>
      expect(ledger).toEqual(plus(before.ledger, model.ledger())),
    ),
  ]);
  expect(real.given.requests.map(({ byPolicy }) => byPolicy)).toEqual(
    model.requests.map(({ byPolicy }) => byPolicy),
  );
  // Last, for the verifications above are counted too.
  const scrape = await real.service.scrape();
  expect(countsOf(scrape)).toEqual(plus(before.counts, model.counts));
  // Those by agent come to the same as those without.
  for (const family of [
    'authorize_total',
    'token_exchange_total',
    'grants_created_total',
    'grants_revoked_total',
  ])
    expect([family, scrape.sum(`grantex_agent_${family}`)]).toEqual([
      family,
      scrape.sum(`grantex_${family}`),
    ]);
}

async function compareGrants(model: Model, real: Real, developer: number): Promise<void> {
  const { body } = await real.ask(developer, 'GET', '/v1/grants?pageSize=100');
  const expected = model.grants.flatMap(({ agent, principal, parent, depth, scopes }, grant) => {
    if (at(model.agents, agent).developer !== developer || model.statusOf(grant) === 'removed') return [];
    return {
      id: at(real.given.grants, grant),
      agentId: real.agent(agent),
      principalId: principalId(principal),
      status: model.statusOf(grant),
      parentGrantId: parent === null ? undefined : at(real.given.grants, parent),
      delegationDepth: depth,
      scopes,
      wasRevoked: model.statusOf(grant) === 'revoked',
    };
  });
  const seen = body.grants.map((grant: Record<string, unknown>) => {
    const { id, agentId, principalId: of, status, parentGrantId, delegationDepth, scopes } = grant;
    const wasRevoked = grant['revokedAt'] !== undefined;
    return { id, agentId, principalId: of, status, parentGrantId, delegationDepth, scopes, wasRevoked };
  });
  // Grants of one millisecond have no order of their own.
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  expect(seen.sort(byId)).toEqual(expected.sort(byId));
  expect(body.total).toBe(expected.length);
}

/** Of each grant the newest token that was revoked, and the newest that was not: the others share their fate. */
async function compareTokens(model: Model, real: Real): Promise<void> {
  const newest = new Map(model.tokens.map(({ grant, revoked }, token) => [`${grant} ${revoked}`, token]));
  const tokens = [...newest.values()];
  const seen = await Promise.all(
    tokens.map(async (token) => {
      const { developer } = at(model.agents, at(model.grants, at(model.tokens, token).grant).agent);
      const { body } = await real.ask(developer, 'POST', '/v1/tokens/verify', {
        token: at(real.given.tokens, token).jwt,
      });
      return body.valid ? body.grantId : null;
    }),
  );
  const expected = tokens.map((token) =>
    model.isLive(token) ? at(real.given.grants, at(model.tokens, token).grant) : null,
  );
  expect(seen).toEqual(expected);
  for (const grantId of expected) model.counts[grantId === null ? 'verify/invalid' : 'verify/valid']++;
}

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzz } from '../support/fuzz.ts';
import { deliveryLedgerOf, ledgerOf } from '../support/ledger.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { HOOK_ENV } from '../webhooks/hooks.ts';
import { compareAcknowledged, compareAnomalies, compareOpened } from './anomalies/compare.ts';
import { at } from './at.ts';
import { COMMANDS } from './commands.ts';
import { before, compare } from './compare.ts';
import { principalId } from './given.ts';
import { Model } from './model.ts';
import type { Terms } from './policies/model.ts';
import type { Protocol } from './protocol.ts';
import { Real } from './real.ts';
import { compareEnds, compareReceived } from './webhooks/compare.ts';
import { WebhookCounters } from './webhooks/counters.ts';
import { type Inbox, startInbox } from './webhooks/inbox.ts';
import { EVENTS } from './webhooks/model.ts';

const { MODEL_PATH, MODEL_SHRINK } = process.env;
const { runs: numRuns, seed, long, again } = fuzz('MODEL', 10);
/** A failure is made smaller for as long. A run takes about a second, and some more on a busy machine: all must have been. */
const BUDGET_MS = 45_000 + numRuns * 6000;
const MAX_COMMANDS = 80;
/** Looking is dearer than doing: where nobody asks for more, statuses are compared at each step, and the rest at every fourth. */
const COMPARE_EVERY = long ? 1 : 4;
const MODES = ['live', 'sandbox'] as const;

let service: TestService;
let inbox: Inbox;
let counters: WebhookCounters;
/** The runs that went well, for what is known of them only later. */
const ended: { model: Model; real: Real }[] = [];
beforeAll(async () => {
  inbox = await startInbox();
  // Few agents with a series of their own: the sums must hold for those that share one, too. No attempt is to time out.
  service = await startService({
    env: { ...HOOK_ENV, WEBHOOK_TIMEOUT_MS: '10000', METRICS_AGENT_LIMIT: '5' },
  });
  counters = new WebhookCounters(service, inbox);
});
afterAll(async () => {
  await service?.stop();
  await inbox?.close();
});

/** A permission with exceptions, one of which hides another, and one that only some of the scopes of a request are in. */
const RULES: readonly Terms[] = [
  { effect: 'allow', priority: 10, agent: null, principal: 1, scopes: null },
  { effect: 'deny', priority: 0, agent: null, principal: null, scopes: ['mail:send'] },
  { effect: 'deny', priority: 0, agent: null, principal: 1, scopes: ['files:read'] },
  { effect: 'deny', priority: -10, agent: null, principal: 1, scopes: ['mail:send'] },
];

/**
 * What every run begins with, so that there is something to lose, and something of what is rare: agents, a grant with one
 * delegated from it, a code that an agent may not exchange while it is suspended, webhooks, policies.
 */
function* prologue(model: Model): Generator<(on: Protocol) => number | Promise<number>> {
  const scopes = ['files:read', 'files:write'];
  for (const developer of MODES.keys()) {
    const agent = model.agents.length;
    yield (on) => on.webhooks.register(developer, 'well', EVENTS);
    yield (on) => on.webhooks.register(developer, developer === 0 ? 'slowly' : 'gone', ['grant.revoked']);
    for (const rule of RULES) yield (on) => on.policies.add(developer, rule);
    yield (on) => on.newAgent(developer, []);
    yield (on) => on.newAgent(developer, scopes);
    const by = { developer, agent };
    const request = model.requests.length;
    yield (on) => on.authorize(by, { principal: 0, scopes, life: 3600 });
    yield (on) => on.decide(request, 'approved', null);
    const code = model.codes.length - 1;
    yield (on) => on.exchange(by, code);
    const token = model.tokens.length - 1;
    yield (on) => on.delegate({ developer, agent: agent + 1 }, token, scopes, 900);
    const late = model.requests.length;
    yield (on) => on.authorize(by, { principal: 0, scopes, life: 3600 });
    yield (on) => on.decide(late, 'approved', null);
    const unused = model.codes.length - 1;
    yield (on) => on.setStatus(developer, agent, 'suspended');
    yield (on) => on.exchange(by, unused);
    yield (on) => on.setStatus(developer, agent, 'active');
  }
}

/** Every fallen tree and every denial is one line of the log, and there are no others. */
async function compareLog(model: Model, real: Real, from: number): Promise<void> {
  const told = (name: string) => service.logs.slice(from).filter(({ msg }) => msg === name);
  const awaited = async (name: string, count: number) => {
    await waitFor(() => told(name).length >= count || undefined);
    return told(name);
  };
  const lines = (await awaited('grant.revoked', model.falls.length)).map(
    ({ grantId, revokedBy, cascadeCount }) => ({ grantId, revokedBy, cascadeCount }),
  );
  const falls = model.falls.map(({ grant, ...fall }) => ({ grantId: at(real.given.grants, grant), ...fall }));
  // The trees that fall with one agent fall in no order.
  const byId = (a: { grantId?: unknown }, b: { grantId?: unknown }) =>
    String(a.grantId) < String(b.grantId) ? -1 : 1;
  expect(lines.sort(byId)).toEqual(falls.sort(byId));
  const denied = (await awaited('authorize.denied', model.denials.length)).map(
    ({ agentId, principalId, reason }) => ({ agentId, principalId, reason }),
  );
  expect(denied).toEqual(
    model.denials.map(({ agent, principal, policy }) => ({
      agentId: real.agent(agent),
      principalId: principalId(principal),
      reason: at(real.given.policies, policy),
    })),
  );
}

test('whatever is done in whatever order, the service does what the model does', {
  timeout: BUDGET_MS + 30_000,
}, async () => {
  const runs = fc.asyncProperty(
    fc.commands(COMMANDS, { maxCommands: MAX_COMMANDS, size: 'max' }),
    async (commands) => {
      const from = service.logs.length;
      const model = new Model(MODES);
      const real = await Real.start(service, inbox, MODES);
      const system = { real, before: await before(service), compareEvery: COMPARE_EVERY, steps: 0 };
      for (const act of prologue(model)) {
        const expected = act(model);
        expect(await act(real)).toBe(expected);
      }
      await fc.asyncModelRun(() => ({ model, real: system }), commands);
      await compare(model, real, system.before);
      await compareLog(model, real, from);
      await compareReceived(model, real);
      await compareEnds(model, real, ['well', 'gone']);
      await counters.compare();
      await compareAnomalies(model, real);
      await compareAcknowledged(real);
      // The totals of later runs are compared with what this one leaves: nothing of it may expire by the real clock.
      await service.database
        .sql`update grants set expires_at = expires_at + interval '1 day' where expires_at > now()`;
      ended.push({ model, real });
    },
  );
  const path = MODEL_PATH === undefined ? {} : { path: MODEL_PATH };
  process.stdout.write(`${again}\n`);
  const found = await fc.check(runs, {
    seed,
    numRuns,
    unbiased: true,
    interruptAfterTimeLimit: BUDGET_MS,
    endOnFailure: MODEL_SHRINK === 'false',
    ...path,
  });
  if (found.failed)
    throw new Error(
      `${await fc.asyncDefaultReportMessage(found)}\nAgain: ${again} vitest run --project slow test/model`,
      { cause: found.errorInstance },
    );
});

test('the gauge comes to what the ledger says: created − revoked − expired = active', async () => {
  const { created, revoked, expired, active } = await ledgerOf(service.database);
  expect(created - revoked - expired).toBe(active);
  expect(Math.min(revoked, expired, active)).toBeGreaterThan(0);
  // Grants go on running out while the gauge catches up.
  await waitFor(async () => {
    const gauge = (await service.scrape()).value('grantex_active_grants');
    return (await ledgerOf(service.database)).active === gauge || undefined;
  });
});

test('anomalies opened = rows, by type, and none was counted twice', () => compareOpened(service));

test('what a receiver refused at first comes again, and at last delivered + failed = rows', async () => {
  for (const { model, real } of ended) {
    await compareEnds(model, real, ['slowly']);
    await compareReceived(model, real);
  }
  await counters.compare();
  const { delivered, failed } = await deliveryLedgerOf(service.database);
  expect(Math.min(delivered, failed, inbox.answered['5xx'])).toBeGreaterThan(0);
});

test('every counter and gauge that has rows says what they say', () => expectReconciled(service));

import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ledgerOf } from '../support/ledger.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { COMMANDS } from './commands.ts';
import { before, compare } from './compare.ts';
import { Model, type Protocol } from './model.ts';
import { at, Real } from './real.ts';

// The gate's runs are the same every time; whoever asks for more runs gets new ones, unless a seed is named too.
const { MODEL_RUNS, MODEL_SEED, MODEL_PATH, MODEL_SHRINK } = process.env;
const numRuns = Number(MODEL_RUNS ?? 40);
const seed = Number(MODEL_SEED ?? (MODEL_RUNS === undefined ? 1 : randomInt(2 ** 31)));
/** A failure is made smaller for as long. */
const BUDGET_MS = 15_000 + numRuns * 2000;
const MAX_COMMANDS = 60;
/** Looking is dearer than doing: where nobody asks for more, statuses are compared at each step, and the rest at every fourth. */
const COMPARE_EVERY = MODEL_RUNS === undefined ? 4 : 1;
const MODES = ['live', 'sandbox'] as const;

let service: TestService;
beforeAll(async () => {
  // Few agents with a series of their own: the sums must hold for those that share one, too.
  service = await startService({ env: { METRICS_AGENT_LIMIT: '5' } });
});
afterAll(() => service.stop());

/** What every run begins with, so that there is something to lose: agents, and a grant with one delegated from it. */
function* prologue(model: Model): Generator<(on: Protocol) => number | Promise<number>> {
  const scopes = ['files:read', 'files:write'];
  for (const developer of MODES.keys()) {
    const agent = model.agents.length;
    yield (on) => on.newAgent(developer, []);
    yield (on) => on.newAgent(developer, scopes);
    const by = { developer, agent };
    const request = model.requests.length;
    yield (on) => on.authorize(by, scopes, 3600);
    yield (on) => on.decide(request, 'approved', null);
    const code = model.codes.length - 1;
    yield (on) => on.exchange(by, code);
    const token = model.tokens.length - 1;
    yield (on) => on.delegate({ developer, agent: agent + 1 }, token, scopes, 900);
  }
}

/** Every fallen tree is one line of the log, and there are no others. */
async function compareLog(model: Model, real: Real, from: number): Promise<void> {
  const told = () => service.logs.slice(from).filter(({ msg }) => msg === 'grant.revoked');
  await waitFor(() => told().length >= model.falls.length || undefined);
  const lines = told().map(({ grantId, revokedBy, cascadeCount }) => ({ grantId, revokedBy, cascadeCount }));
  const falls = model.falls.map(({ grant, ...fall }) => ({ grantId: at(real.given.grants, grant), ...fall }));
  // The trees that fall with one agent fall in no order.
  const byId = (a: { grantId?: unknown }, b: { grantId?: unknown }) =>
    String(a.grantId) < String(b.grantId) ? -1 : 1;
  expect(lines.sort(byId)).toEqual(falls.sort(byId));
}

test('whatever is done in whatever order, the service does what the model does', {
  timeout: BUDGET_MS + 30_000,
}, async () => {
  const runs = fc.asyncProperty(
    fc.commands(COMMANDS, { maxCommands: MAX_COMMANDS, size: 'max' }),
    async (commands) => {
      const from = service.logs.length;
      const model = new Model(MODES);
      const real = await Real.start(service, MODES);
      const system = { real, before: await before(service), compareEvery: COMPARE_EVERY, steps: 0 };
      for (const act of prologue(model)) {
        const expected = act(model);
        expect(await act(real)).toBe(expected);
      }
      await fc.asyncModelRun(() => ({ model, real: system }), commands);
      await compare(model, real, system.before);
      await compareLog(model, real, from);
    },
  );
  const path = MODEL_PATH === undefined ? {} : { path: MODEL_PATH };
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
      `${await fc.asyncDefaultReportMessage(found)}\nAgain: MODEL_SEED=${seed} MODEL_RUNS=${numRuns} vitest run --project unit test/model`,
      { cause: found.errorInstance },
    );
});

test('the gauge comes to what the ledger says: created − revoked − expired = active', async () => {
  const { created, revoked, expired, active } = await ledgerOf(service.database);
  expect(created - revoked - expired).toBe(active);
  expect(Math.min(revoked, expired, active)).toBeGreaterThan(0);
  await waitFor(
    async () => (await service.scrape()).value('grantex_active_grants') === active || undefined,
    8000,
  );
});

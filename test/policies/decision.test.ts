import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRequest } from '../../src/authorization/store.ts';
import type { Database } from '../../src/db/client.ts';
import { sha256 } from '../../src/hash.ts';
import { medianOf, printTable, round } from '../load/table.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { fuzz } from '../support/fuzz.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { decide, type Question, type Rule } from './naive-decision.ts';

const KEY_HASH = sha256('key');
const { runs, seed, again } = fuzz('DECISION', 100);
const AGENTS = ['ag_1', 'ag_2'] as const;

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openTestDatabase(database);
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_1', 'D', 'live', ${KEY_HASH}, now()), ('dev_2', 'D', 'live', ${sha256('other')}, now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select id, 'dev_1', 'A', '', '{}', 'active', now(), now() from unnest(${[...AGENTS]}::text[]) id`;
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});
beforeEach(async () => {
  await database.sql`truncate policies, authorization_requests`;
});

const BORN = Date.parse('2026-01-01T00:00:00Z');

async function setRules(rules: readonly Rule[]): Promise<void> {
  const rows = rules.map((rule) => ({
    id: rule.id,
    developer_id: 'dev_1',
    name: 'Rule',
    effect: rule.effect,
    priority: rule.priority,
    agent_id: rule.agentId,
    principal_id: rule.principalId,
    scopes: rule.scopes === null ? null : [...rule.scopes],
    time_of_day_start: rule.timeOfDayStart,
    time_of_day_end: rule.timeOfDayEnd,
    created_at: new Date(BORN - rule.age * 1000),
    updated_at: new Date(BORN),
  }));
  await database.sql.begin(async (tx) => {
    await tx`delete from policies`;
    if (rows.length > 0) await tx`insert into policies ${tx(rows)}`;
  });
}

let asked = 0;
/** Asks the statement itself, whose only clock is the time in the question. */
const ask = ({ at, ...question }: Question) => {
  const id = `areq_${asked++}`;
  return createRequest(db, {
    ...question,
    keyHash: KEY_HASH,
    id,
    redirectUri: null,
    state: null,
    audience: null,
    grantSeconds: 60,
    codeChallenge: null,
    createdAt: at,
    expiresAt: new Date(at.getTime() + 600_000),
    codeHash: sha256(id),
    codeExpiresAt: new Date(at.getTime() + 600_000),
  });
};
const stored = async () => {
  const rows = await database.sql<{ status: string; code: boolean }[]>`
    select status, code_hash is not null as code from authorization_requests`;
  return rows.map(({ status, code }) => [status, code]);
};

const rule = (id: string, fields: Partial<Rule> = {}): Rule => ({
  id,
  effect: 'deny',
  priority: 0,
  age: 0,
  agentId: null,
  principalId: null,
  scopes: null,
  timeOfDayStart: null,
  timeOfDayEnd: null,
  ...fields,
});
const allow = (id: string, fields: Partial<Rule> = {}) => rule(id, { effect: 'allow', ...fields });
const question = (fields: Partial<Question> = {}): Question => ({
  agentId: 'ag_1',
  principalId: 'user_1',
  scopes: ['a', 'b'],
  at: new Date('2026-03-04T12:00:00Z'),
  ...fields,
});

test.each<[string, readonly Rule[], string | null]>([
  ['no rule', [], null],
  ['one that allows', [allow('p1')], 'p1'],
  ['a denial comes before a permission of any priority', [allow('p1', { priority: 100 }), rule('p2')], 'p2'],
  [
    'of denials the greatest priority',
    [rule('p1', { priority: -1 }), rule('p2'), rule('p3', { priority: -2 })],
    'p2',
  ],
  [
    'of permissions the greatest priority',
    [allow('p1', { priority: 1 }), allow('p2', { priority: 2 })],
    'p2',
  ],
  ['then the oldest', [allow('p1', { age: 1 }), allow('p2', { age: 3 }), allow('p3', { age: 2 })], 'p2'],
  [
    'a denial that does not match stands in nobody’s way',
    [rule('p1', { agentId: 'ag_2' }), allow('p2')],
    'p2',
  ],
  ['the agent', [rule('p1', { agentId: 'ag_1' })], 'p1'],
  ['another agent', [rule('p1', { agentId: 'ag_2' })], null],
  ['the principal', [rule('p1', { principalId: 'user_1' })], 'p1'],
  ['another principal', [rule('p1', { principalId: 'user_2' })], null],
  ['a principal in another case', [rule('p1', { principalId: 'USER_1' })], null],
  ['denial: the same scopes', [rule('p1', { scopes: ['b', 'a'] })], 'p1'],
  ['denial: more scopes', [rule('p1', { scopes: ['a', 'b', 'c'] })], 'p1'],
  ['denial: one of the scopes asked for', [rule('p1', { scopes: ['b'] })], 'p1'],
  ['denial: one of them and others', [rule('p1', { scopes: ['a', 'c', 'd'] })], 'p1'],
  ['denial: other scopes', [rule('p1', { scopes: ['c'] })], null],
  ['denial: the beginning of a scope', [rule('p1', { scopes: ['', 'A', 'ab'] })], null],
  ['denial: no scopes', [rule('p1', { scopes: [] })], null],
  ['permission: the same scopes', [allow('p1', { scopes: ['b', 'a'] })], 'p1'],
  ['permission: more scopes', [allow('p1', { scopes: ['a', 'b', 'c'] })], 'p1'],
  ['permission: one of the scopes asked for', [allow('p1', { scopes: ['b'] })], null],
  ['permission: no scopes', [allow('p1', { scopes: [] })], null],
  [
    'a denial of one scope beats a permission of both',
    [allow('p1', { priority: 9 }), rule('p2', { scopes: ['b'] })],
    'p2',
  ],
  ['all conditions', [rule('p1', { agentId: 'ag_1', principalId: 'user_1', scopes: ['a', 'b'] })], 'p1'],
  ['all but one', [rule('p1', { agentId: 'ag_1', principalId: 'user_2', scopes: ['a', 'b'] })], null],
])('%s', async (_case, rules, decides) => {
  await setRules(rules);
  const { policyId, policyEffect } = await ask(question());
  const effect = rules.find(({ id }) => id === decides)?.effect ?? null;
  expect([policyId, policyEffect]).toEqual([decides, effect]);
  expect(await stored()).toEqual(
    effect === 'deny' ? [] : [effect === 'allow' ? ['approved', true] : ['pending', false]],
  );
});

test.each<[string | null, string | null, string, boolean]>([
  ['09:00', '17:00', '08:59:59.999', false],
  ['09:00', '17:00', '09:00:00.000', true],
  ['09:00', '17:00', '16:59:59.999', true],
  ['09:00', '17:00', '17:00:00.000', false],
  ['22:00', '06:00', '21:59:59.999', false],
  ['22:00', '06:00', '22:00:00.000', true],
  ['22:00', '06:00', '23:59:59.999', true],
  ['22:00', '06:00', '00:00:00.000', true],
  ['22:00', '06:00', '05:59:59.999', true],
  ['22:00', '06:00', '06:00:00.000', false],
  ['00:00', '12:00', '00:00:00.000', true],
  ['12:00', '00:00', '23:59:59.999', true],
  ['12:00', '00:00', '00:00:00.000', false],
  ['12:00', '00:00', '11:59:59.999', false],
  ['09:00', '09:00', '08:59:59.999', true],
  ['09:00', '09:00', '09:00:00.000', true],
  ['00:00', '00:00', '13:00:00.000', true],
  ['23:59', '00:00', '23:59:30.000', true],
  ['09:00', null, '08:59:59.999', false],
  ['09:00', null, '09:00:00.000', true],
  ['09:00', null, '23:59:59.999', true],
  [null, '09:00', '00:00:00.000', true],
  [null, '09:00', '08:59:59.999', true],
  [null, '09:00', '09:00:00.000', false],
  ['00:00', null, '12:00:00.000', true],
  [null, '00:00', '12:00:00.000', true],
])('window %s to %s at %s UTC: %s', async (timeOfDayStart, timeOfDayEnd, time, within) => {
  await setRules([rule('p1', { timeOfDayStart, timeOfDayEnd })]);
  const { policyId } = await ask(question({ at: new Date(`2026-07-08T${time}Z`) }));
  expect(policyId).toBe(within ? 'p1' : null);
});

const minute = fc
  .constantFrom(0, 1, 6 * 60, 9 * 60, 12 * 60, 22 * 60, 24 * 60 - 1)
  .map((of) => new Date(of * 60_000).toISOString().slice(11, 16));
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 1 });
const rules = fc
  .array(
    fc.record({
      effect: fc.constantFrom('allow' as const, 'deny' as const),
      priority: fc.integer({ min: -2, max: 2 }),
      age: fc.integer({ min: 0, max: 3 }),
      agentId: orNull(fc.constantFrom(...AGENTS)),
      principalId: orNull(fc.constantFrom('user_1', 'user_2')),
      scopes: orNull(fc.subarray(['a', 'b', 'c'])),
      timeOfDayStart: orNull(minute),
      timeOfDayEnd: orNull(minute),
    }),
    { maxLength: 8 },
  )
  .map((of) => of.map((one, n): Rule => ({ ...one, id: `pol_${n}` })));
const questions = fc.array(
  fc.record({
    agentId: fc.constantFrom(...AGENTS),
    principalId: fc.constantFrom('user_1', 'user_2', 'user_3'),
    scopes: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
    at: fc.oneof(
      // On the edges of the windows, and a moment before.
      fc
        .tuple(minute, fc.constantFrom(0, -1))
        .map(([time, off]) => new Date(Date.parse(`2026-07-08T${time}:00Z`) + off)),
      fc.date({
        min: new Date('2026-01-01T00:00:00Z'),
        max: new Date('2027-01-01T00:00:00Z'),
        noInvalidDate: true,
      }),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

test(
  'any policies and any request: the statement decides as the contract reads',
  async () => {
    process.stdout.write(`${again}\n`);
    const seen = { allow: 0, deny: 0, none: 0 };
    await fc.assert(
      fc.asyncProperty(rules, questions, async (some, asking) => {
        await setRules(some);
        // Asked at the same moment they share one statement.
        const answers = await Promise.all(asking.map(ask));
        for (const [n, found] of answers.entries()) {
          const expected = decide(some, asking[n] as Question);
          expect([found.policyId, found.policyEffect]).toEqual([
            expected?.id ?? null,
            expected?.effect ?? null,
          ]);
          seen[expected?.effect ?? 'none']++;
        }
      }),
      { numRuns: runs, seed },
    );
    // Random input that never met a rule would prove nothing.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(runs / 6);
  },
  60_000 + runs * 1_000,
);

test('a hundred policies, all of which must be looked at, and none of which fits: none decides', async () => {
  await setRules(
    Array.from({ length: 100 }, (_, n) =>
      allow(`pol_${n}`, { priority: n, scopes: ['a', 'c'], timeOfDayStart: '22:00', timeOfDayEnd: '06:00' }),
    ),
  );
  await database.sql`analyze policies`;
  const taken: number[] = [];
  for (let n = 0; n < 60; n++) {
    const begun = performance.now();
    expect((await ask(question())).policyId).toBeNull();
    taken.push(performance.now() - begun);
  }
  printTable('a decision among a hundred policies', [{ 'median ms': round(medianOf(taken, (ms) => ms)) }]);
});

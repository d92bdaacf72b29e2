import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AgentSeries, createAgentSeries } from '../../src/telemetry/agent-series.ts';
import { createGuard } from '../../src/telemetry/guard.ts';
import { waitFor } from '../support/child.ts';

type Positions = { agentId: string; position: number }[];

/** Everything recorded, in order. */
let recorded: string[];
let series: AgentSeries;
let asked: string[][];
let failures: unknown[];
/** What is to become of the next question; without one it is never answered. */
let answer: (agentIds: readonly string[]) => Promise<Positions>;

/** Gives out positions from `next` on. */
const inOrder = (next: number) => async (agentIds: readonly string[]) =>
  agentIds.map((agentId) => ({ agentId, position: next++ }));
const never = () => new Promise<Positions>(() => undefined);
const record = (agentId: string, what = '') =>
  series.label({ agent_id: agentId }, ({ agent_id }) => recorded.push(`${what}${agent_id}`));
const open = (limit: number, positions: number, known: Positions = []) =>
  series.open({
    limit,
    positions,
    known,
    take: (agentIds) => {
      asked.push([...agentIds]);
      return answer(agentIds);
    },
    onError: (error) => failures.push(error),
  });

beforeEach(() => {
  recorded = [];
  asked = [];
  failures = [];
  answer = never;
  series = createAgentSeries(createGuard());
});
afterEach(() => series.close(0));

test('before the database decides, every agent has its own series; what has no agent never waits', () => {
  record('a');
  open(1, 1);
  series.label({ status: 'error' }, ({ status }) => recorded.push(status));
  expect([recorded, asked]).toEqual([['a', 'error'], []]);
});

test('known agents are recorded at once, within the limit under their own id', () => {
  open(1, 10, [
    { agentId: 'a', position: 1 },
    { agentId: 'b', position: 2 },
  ]);
  for (const id of ['a', 'b', 'a']) record(id);
  expect([recorded, asked]).toEqual([['a', 'other', 'a'], []]);
});

test('an unknown agent waits for its label, and no event of it is recorded under another one', async () => {
  open(2, 10, [{ agentId: 'a', position: 1 }]);
  const answered = Promise.withResolvers<void>();
  const order = inOrder(2);
  answer = async (agentIds) => {
    await answered.promise;
    return order(agentIds);
  };
  record('b', '1 ');
  record('c', '2 ');
  record('b', '3 ');
  record('a', '4 ');
  expect(recorded).toEqual(['4 a']);
  answered.resolve();
  await series.settled();
  // `c` came while `b` was asked for: it is asked for next, and the limit is at two.
  expect(asked).toEqual([['b'], ['c']]);
  expect(recorded).toEqual(['4 a', '1 b', '3 b', '2 other']);
});

test('once every position is taken nobody is asked any more', async () => {
  answer = inOrder(1);
  open(1, 2);
  record('a');
  record('b');
  await series.settled();
  record('c');
  record('d');
  expect(asked.flat()).toEqual(['a', 'b']);
  expect(recorded.sort()).toEqual(['a', 'other', 'other', 'other'].sort());
});

test('an agent that got no position because others took the last ones is `other`', async () => {
  answer = async () => [];
  open(5, 5);
  record('a');
  await series.settled();
  expect(recorded).toEqual(['other']);
});

test('a database that fails is told of and asked again; nothing is lost', async () => {
  answer = async () => {
    answer = inOrder(1);
    throw new Error('away');
  };
  open(1, 10);
  record('a');
  await waitFor(() => recorded.length > 0 || undefined);
  expect([recorded, failures, asked]).toEqual([['a'], [new Error('away')], [['a'], ['a']]]);
});

test('at the end, and beyond ten thousand that wait, the rest is `other`', async () => {
  open(1, 100_000);
  for (let n = 0; n < 10_001; n++) record(`a${n}`);
  expect(recorded).toEqual(['other']);
  await series.close(1);
  expect(recorded).toEqual(Array(10_001).fill('other'));
  record('late');
  expect(recorded).toHaveLength(10_002);
});

test('a recording that throws does not lose the others', async () => {
  answer = inOrder(1);
  open(9, 10);
  series.label({ agent_id: 'a' }, () => {
    throw new Error('a fault of the recording');
  });
  record('a');
  await series.settled();
  expect(recorded).toEqual(['a']);
});

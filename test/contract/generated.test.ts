import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERROR_STATUS } from '../../src/errors.ts';
import { fingerprint } from '../support/fingerprint.ts';
import { fuzz } from '../support/fuzz.ts';
import { type Answer, startService, type TestService } from '../support/service.ts';
import { ApiDocument, type Operation } from './document.ts';
import { type Edit, edits } from './hostile.ts';
import { outgoing } from './mutate.ts';
import { createSender, type Outgoing, type Sender } from './send.ts';
import { createWorld, sampleFor, type World } from './world.ts';

/** `runs` are the cases per operation; thousands for a long run. */
const { runs: CASES, seed: SEED, again: AGAIN } = fuzz('CONTRACT', 10);
/** Cases whose effect on the database is looked at together. */
const BATCH = 10;
const MAX_RSS_MB = 500;

let service: TestService;
let world: World;
let document: ApiDocument;
let sender: Sender;
beforeAll(async () => {
  service = await startService();
  world = await createWorld(service);
  document = new ApiDocument((await service.request('GET', '/openapi.json')).body);
  sender = createSender(service.url, 4);
});
afterAll(async () => {
  sender?.close();
  await service?.stop();
});

const rows = () => fingerprint(service.database.sql);
const rssMb = () => {
  const status = readFileSync(`/proc/${service.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
};
const isRefusal = ({ status }: Answer) => status >= 400;
/** Of what may take long a developer has few requests at once. Such a refusal says nothing of the request. */
const isTooMany = ({ status }: Answer) => status === 429;

const faultsOf = (operation: Operation, answer: Answer): string[] => [
  ...(answer.status >= 500 ? [`${answer.status}`] : []),
  ...document.faults(operation, answer),
];

interface Case {
  readonly operation: Operation;
  readonly plan: readonly Edit[];
  readonly request: Outgoing;
}

async function sendAll(cases: readonly Case[]): Promise<Answer[]> {
  const answers = await Promise.all(cases.map(({ request }) => sender.send(request)));
  for (const [index, answer] of answers.entries()) {
    const { operation, plan } = cases[index] ?? {};
    if (operation) expect({ plan, faults: faultsOf(operation, answer) }).toEqual({ plan, faults: [] });
  }
  return answers;
}

/** Sends a batch; what of it is refused must have changed nothing, on its own where other parts of it succeeded. */
async function probe(operation: Operation, plans: readonly (readonly Edit[])[]): Promise<Answer[]> {
  const cases: Case[] = [];
  for (const plan of plans) {
    const sample = await sampleFor(world, operation);
    cases.push({ operation, plan, request: outgoing(operation, sample, plan) });
  }
  const before = await rows();
  const answers = await sendAll(cases);
  const alone = answers.every(isRefusal);
  const refused = cases.filter((_one, index) => {
    const answer = answers[index] as Answer;
    return isRefusal(answer) && !isTooMany(answer);
  });
  const settled = alone ? before : await rows();
  if (!alone) expect((await sendAll(refused)).every(isRefusal)).toBe(true);
  expect({ plans, rows: await rows() }).toEqual({ plans, rows: settled });
  return answers;
}

test('the valid request of every operation succeeds as documented', async () => {
  const before = await rows();
  for (const operation of document.operations) {
    const answer = await sender.send(outgoing(operation, await sampleFor(world, operation)));
    expect([operation.name, answer.status, faultsOf(operation, answer)]).toEqual([
      operation.name,
      Number(Object.keys(operation.responses).find((status) => status.startsWith('2'))),
      [],
    ]);
  }
  const after = await rows();
  const changed = ['agents', 'audit_entries', 'authorization_requests', 'developers', 'grants', 'tokens'];
  for (const table of changed) expect(after[table]).not.toBe(before[table]);
});

test('the closed codes are those of the contract, and the document has no others', () => {
  const documented = document.operations.flatMap(({ responses }) => Object.keys(responses).map(Number));
  const closed = [200, 201, 204, 304, ...Object.values(ERROR_STATUS)];
  expect(documented.filter((status) => !closed.includes(status as (typeof closed)[number]))).toEqual([]);
});

test(
  'mutated requests are refused or served, as documented, and a refusal changes nothing',
  async () => {
    process.stdout.write(`${AGAIN}\n`);
    const statuses: Record<number, number> = {};
    for (const [index, operation] of document.operations.entries()) {
      const batches = fc.array(edits, { minLength: 1, maxLength: BATCH, size: 'max' });
      const property = fc.asyncProperty(batches, async (plans) => {
        for (const { status } of await probe(operation, plans))
          statuses[status] = (statuses[status] ?? 0) + 1;
      });
      // Each operation has edits of its own: all with the same ones, a seed could leave out a kind for every one of them.
      // Biased, the few runs would all take the first and last entries of the lists.
      const parameters = { seed: SEED + index, numRuns: Math.ceil((2 * CASES) / BATCH), unbiased: true };
      await fc.assert(property, parameters).catch((error: unknown) => {
        throw new Error(`${operation.name}; again: ${AGAIN}`, { cause: error });
      });
      expect(rssMb()).toBeLessThan(MAX_RSS_MB);
    }
    process.stdout.write(`${JSON.stringify(statuses)}, ${Math.round(rssMb())} MB\n`);
    for (const status of [200, 201, 204, 400, 401, 404]) expect(statuses[status]).toBeGreaterThan(0);
    expect((await service.request('GET', '/health/live')).status).toBe(200);
    expect(service.process.exitCode).toBeNull();
    // The world's webhook leads nowhere, which is no error of the service.
    const own = service.logs.filter(({ msg }) => msg !== 'webhook.delivery_failed');
    expect(own.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  },
  // Generous, for long runs on busy machines: the sender gives up on a single answer long before.
  CASES * 20_000,
);

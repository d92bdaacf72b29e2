import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDatabaseTelemetry, describeStatement } from '../../src/telemetry/database.ts';
import { startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
beforeEach(() => {
  harness = startHarness();
});
afterEach(() => harness.stop());

const TEXT = 'SELECT id FROM grants WHERE id = $1';
const STATEMENT = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grant_by_id',
  text: TEXT,
});
const ATTRIBUTES = {
  'db.system.name': 'postgresql',
  'db.operation.name': 'SELECT',
  'db.collection.name': 'grants',
  'db.query.summary': 'SELECT grants',
  'db.query.text': TEXT,
  'grantex.statement': 'grant_by_id',
};

test('a statement is one client span, linked to the requests it serves, and one duration', async () => {
  const link = harness.tracer.startSpan('request').spanContext();
  const { database } = harness.telemetry;
  await expect(database.statement(STATEMENT, [link], async () => [1])).resolves.toEqual([1]);
  const [span] = harness.spans.getFinishedSpans();
  expect(span).toMatchObject({ name: 'SELECT grants', kind: SpanKind.CLIENT, attributes: ATTRIBUTES });
  expect(span?.links.map(({ context }) => context)).toEqual([link]);
  const samples = await harness.samples();
  expect(
    samples.get(
      'db_client_operation_duration_seconds_count{db_system_name="postgresql",db_operation_name="SELECT"}',
    ),
  ).toBe(1);
});

test.each([
  ['a PostgreSQL error', Object.assign(new Error('x'), { code: '23505' }), '23505', 'SQLSTATE 23', '23505'],
  [
    'a lost connection',
    Object.assign(new Error('x'), { code: 'ECONNRESET' }),
    'ECONNRESET',
    'ECONNRESET',
    undefined,
  ],
  ['an error without code', new TypeError('value'), 'TypeError', 'TypeError', undefined],
])(
  '%s is passed on, named on the span, and bounded in the metric',
  async (_, error, type, label, sqlState) => {
    const failing = harness.telemetry.database.statement(STATEMENT, undefined, async () => {
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    const [span] = harness.spans.getFinishedSpans();
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span?.attributes).toEqual({
      ...ATTRIBUTES,
      'error.type': type,
      ...(sqlState && { 'db.response.status_code': sqlState }),
    });
    const labels = `db_system_name="postgresql",db_operation_name="SELECT",error_type="${label}"`;
    expect((await harness.samples()).get(`db_client_operation_duration_seconds_count{${labels}}`)).toBe(1);
  },
);

test('the duration is in seconds', async () => {
  let now = 0;
  const database = createDatabaseTelemetry(harness.telemetry.instruments, harness.tracer, () => now);
  await database.statement(STATEMENT, undefined, async () => {
    now = 250;
  });
  const labels = 'db_system_name="postgresql",db_operation_name="SELECT"';
  expect((await harness.samples()).get(`db_client_operation_duration_seconds_sum{${labels}}`)).toBe(0.25);
});

test('a pool is observed at every scrape until that is ended', async () => {
  let used = 2;
  const end = harness.telemetry.database.observePool('main', () => ({
    idle: 10 - used,
    used,
    waiting: used + 1,
  }));
  const series = (state: string) =>
    `db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="${state}"}`;
  const first = await harness.samples();
  const waiting = 'db_client_connection_waiting{pool="main"}';
  expect([first.get(series('idle')), first.get(series('used')), first.get(waiting)]).toEqual([8, 2, 3]);
  used = 5;
  expect((await harness.samples()).get(series('used'))).toBe(5);
  end();
  used = 9;
  expect((await harness.samples()).get(series('used'))).toBe(5);
});

test('a tracer that throws does not keep the statement from running', async () => {
  const broken = {
    startSpan: () => {
      throw new Error('tracer');
    },
  } as never;
  const database = createDatabaseTelemetry(harness.telemetry.instruments, broken);
  await expect(database.statement(STATEMENT, undefined, async () => 'rows')).resolves.toBe('rows');
});

import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { type SentSpan, type Sink, sentSpans, startSink } from '../instrumentation/child.ts';
import { printTable } from '../load/table.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { expectExplained, snapshotOf } from '../support/reconcile.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { hook } from '../webhooks/hooks.ts';
import { answer, type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { subjectOf } from './counting-receiver.ts';
import { answeredEvents, issuedOf, subjectsOf } from './events.ts';
import { killUnderLoad } from './kill.ts';
import { startOwnService } from './own-service.ts';

const ENV = {
  // A token contains its issuer, which must not change with the port.
  JWT_ISSUER: 'https://auth.example.com',
  ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
  WEBHOOK_BACKOFF_SECONDS: '1',
  WEBHOOK_MAX_ATTEMPTS: '20',
};

async function ownDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  return database;
}

async function ownReceiver(...behaviour: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...behaviour);
  onTestFinished(() => receiver.close());
  return receiver;
}

async function ownSink(): Promise<Sink> {
  const sink = await startSink();
  onTestFinished(() => sink.close());
  return sink;
}

async function kill({ process }: TestService): Promise<void> {
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}

/** Prevents the creation and start of jobs until `release`. So no replica can deliver what is committed meanwhile. */
async function holdQueue({ sql }: TestDatabase): Promise<{ release: () => Promise<void> }> {
  const held = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const done = sql.begin(async (tx) => {
    await tx`lock table jobs.job in access exclusive mode`;
    held.resolve();
    await release.promise;
  });
  await Promise.race([held.promise, done]);
  return {
    async release() {
      release.resolve();
      await done;
    },
  };
}

const named = (sink: Sink, name: string): SentSpan[] => sentSpans(sink).filter((span) => span.name === name);

const GRANTS = 10;

test.each(['the next start', 'another replica'])(
  'SIGKILL between commit and delivery: %s delivers, and its spans link to those that caused it',
  async (who) => {
    const database = await ownDatabase();
    const receiver = await ownReceiver();
    const [sinkOfFirst, sinkOfSecond] = [await ownSink(), await ownSink()];
    const start = (sink: Sink) =>
      startOwnService({
        database,
        env: {
          ...ENV,
          OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
          OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
          OTEL_BSP_SCHEDULE_DELAY: '50',
        },
      });
    const first = await start(sinkOfFirst);
    const waiting = who === 'another replica' ? await start(sinkOfSecond) : undefined;
    const party = await newParty(first);
    await hook(first, party, receiver.url);
    // The queue exists from the first delivery on.
    await party.grant();
    await receiver.until(2);
    const codes = await Promise.all(Array.from({ length: GRANTS }, () => party.consent()));

    const queue = await holdQueue(database);
    const pairs = await Promise.all(codes.map((code) => party.exchange(code)));
    const grantIds = pairs.map(({ grantId }) => grantId);
    // The spans that caused the events must arrive before the kill, because the test compares the links with them.
    const causes = await waitFor(() => {
      const spans = named(sinkOfFirst, 'grantex.token.exchange').filter(({ attributes }) =>
        grantIds.includes(String(attributes['grantex.grant_id'])),
      );
      return spans.length === GRANTS ? spans : undefined;
    });
    await kill(first);
    expect(receiver.received).toHaveLength(2);

    const second = waiting ?? (await start(sinkOfSecond));
    await queue.release();
    const received = (await receiver.until(2 + 2 * GRANTS)).slice(2);
    expect(received.map(subjectOf).sort()).toEqual(
      pairs.flatMap((pair) => [issuedOf(pair), `grant.created ${pair.grantId}`]).sort(),
    );
    expect(await second.stop()).toBe(0);
    // No delivery had begun before, so each event came exactly once.
    expect(receiver.received).toHaveLength(2 + 2 * GRANTS);

    const deliveries = named(sinkOfSecond, 'grantex.webhook.deliver');
    const linked = received.map(({ body }) => {
      const [span, ...more] = deliveries.filter(
        ({ attributes }) => attributes['grantex.event_id'] === body.id,
      );
      expect(more).toEqual([]);
      return { grantId: body.data.grantId, span };
    });
    for (const { grantId, span } of linked) {
      const cause = causes.find(({ attributes }) => attributes['grantex.grant_id'] === grantId);
      expect(span?.links).toEqual([
        expect.objectContaining({ traceId: cause?.traceId, spanId: cause?.spanId }),
      ]);
      expect(span?.parentSpanId ?? '').toBe('');
      expect(span?.traceId).not.toBe(cause?.traceId);
    }
  },
);

const PERIOD = 90_000;

test(
  'SIGKILL under load, with attempts under way and others waiting for their turn: every event comes all the same',
  async () => {
    const database = await ownDatabase();
    const receivers = {
      good: await ownReceiver(),
      hanging: await ownReceiver(() => undefined),
      failing: await ownReceiver(answer(503)),
    };
    const { good, hanging, failing } = receivers;
    const all = Object.values(receivers);
    // An attempt that was under way at the kill is repeated after this timeout and another 30 s.
    const env = { ...ENV, WEBHOOK_TIMEOUT_MS: '5000' };
    const first = await startOwnService({ database, env });
    const party = await newParty(first, 'sandbox');
    for (const { url } of all) await hook(first, party, url);
    const begin = await snapshotOf(first);
    const shots = await killUnderLoad(first, party, 500);
    const before = {
      good: good.received.length,
      hanging: hanging.received.length,
      failing: failing.received.length,
    };
    // At the kill, some attempts were under way and others were answered.
    expect([hanging.received.length > 0, failing.received.length > 0]).toEqual([true, true]);

    for (const receiver of all) receiver.behave(answer(200));
    const begun = performance.now();
    const second = await startOwnService({ database, env });
    const expected = await subjectsOf(database);
    expect(answeredEvents(shots).filter((subject) => !expected.includes(subject))).toEqual([]);
    await waitFor(async () => {
      const [row] = await database.sql`
        select count(*)::int as pending from webhook_deliveries where status = 'pending'`;
      return row?.['pending'] === 0 || undefined;
    }, PERIOD);
    const seconds = (performance.now() - begun) / 1000;
    for (const [name, { received }] of Object.entries(receivers))
      expect([name, [...new Set(received.map(subjectOf))].sort()]).toEqual([name, expected]);
    const rows = await database.sql`
      select status, count(*)::int as rows from webhook_deliveries group by status`;
    expect(rows).toEqual([{ status: 'delivered', rows: 3 * expected.length }]);
    // The queue is empty, so no event is repeated without end.
    expect(await database.sql`select id from jobs.job where name = 'webhook-deliveries'`).toEqual([]);
    await expectExplained(begin, 1, second);
    expect(await second.stop()).toBe(0);
    printTable(
      `webhooks after SIGKILL: ${expected.length} events, all delivered ${Math.round(seconds)} s after the next start`,
      Object.entries(receivers).map(([name, { received }]) => ({
        receiver: name,
        events: expected.length,
        'requests before': before[name as keyof typeof before],
        'requests in all': received.length,
      })),
    );
  },
  2 * PERIOD,
);

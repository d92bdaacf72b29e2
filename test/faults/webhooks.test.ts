import { expect, onTestFinished, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { waitFor } from '../support/service.ts';
import { hook } from '../webhooks/hooks.ts';
import type { Received } from '../webhooks/receiver.ts';
import { spread } from './client.ts';
import { subjectOf } from './counting-receiver.ts';
import { expectCounted, storedFigures } from './delivery-figures.ts';
import { startOwnService } from './own-service.ts';
import { MAX_ATTEMPTS, RECEIVERS } from './three-receivers.ts';
import { createAndRevokeTree, EVENTS_PER_TREE } from './trees.ts';

/** The night asks for more. */
const TREES = Number(process.env['WEBHOOK_TREES'] ?? 40);
const EVENTS = TREES * EVENTS_PER_TREE;
const MINUTE = 60_000;
const secondsSince = (begun: number): number => Math.round((performance.now() - begun) / 100) / 10;

test(
  `${EVENTS} events to three receivers by two replicas: nothing lost, and attempts = requests = counters`,
  async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const env = {
      PUBLIC_URL: 'https://auth.example.com',
      ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
      WEBHOOK_BACKOFF_SECONDS: '1',
      WEBHOOK_MAX_ATTEMPTS: String(MAX_ATTEMPTS),
      DATABASE_POOL_MAX: '10',
    };
    const one = await startOwnService({ database, env });
    const replicas = [one, await startOwnService({ database, env })];
    const party = await newParty(one, 'sandbox');
    const hooks = await Promise.all(
      RECEIVERS.map(async ({ name, events, start, fate }) => {
        const receiver = await start();
        onTestFinished(() => receiver.close());
        const { id } = await hook(one, party, receiver.url, events);
        return { name, events: events as readonly string[], fate, receiver, id };
      }),
    );

    const begun = performance.now();
    const subjects: string[] = [];
    const grow = ({ url }: { url: string }) =>
      spread(url, { count: TREES / 2, width: 8 }, async (client) => {
        subjects.push(...(await createAndRevokeTree(client, party)));
      });
    await Promise.all(replicas.map(grow));
    const made = secondsSince(begun);
    expect(new Set(subjects).size).toBe(EVENTS);
    const wanted = (events: readonly string[]) =>
      subjects.filter((subject) => events.includes(subject.split(' ')[0] ?? '')).sort();
    const deliveries = hooks.reduce((sum, { events }) => sum + wanted(events).length, 0);
    // Many deliveries are still pending. The sum must be right at every moment.
    const halfway = await storedFigures(database);
    expect(halfway.delivered + halfway.failed + halfway.pending).toBe(deliveries);
    await waitFor(
      async () => (await storedFigures(database)).pending === 0 || undefined,
      // It takes half a minute on an idle machine.
      3 * MINUTE,
    );
    const ended = secondsSince(begun);

    const table = [];
    for (const { name, events, fate, receiver, id } of hooks) {
      // The receiver got every event that it wants, with as many requests as the row says and the expected outcome.
      expect([name, [...new Set(receiver.received.map(subjectOf))].sort()]).toEqual([name, wanted(events)]);
      const rows = await database.sql<{ eventId: string; status: string; attempts: number }[]>`
        select event_id as "eventId", status, attempts from webhook_deliveries where webhook_id = ${id}`;
      const perEvent = new Map(rows.map(({ eventId, attempts }) => [eventId, attempts]));
      expect(perEvent).toEqual(receiver.requests);
      const heard = new Map(receiver.received.map((event) => [event.body.id, event]));
      const fates = rows.map(({ eventId }) => ({ eventId, ...fate(heard.get(eventId) as Received) }));
      expect([...rows]).toEqual(fates);
      const are = (status: string) => rows.filter((row) => row.status === status).length;
      table.push({
        receiver: name,
        events: rows.length,
        delivered: are('delivered'),
        failed: are('failed'),
        'attempts in rows': rows.reduce((sum, { attempts }) => sum + attempts, 0),
        requests: receiver.received.length,
      });
    }
    printTable(
      `webhooks: ${EVENTS} events made in ${made} s, ${halfway.pending} of ${deliveries} deliveries then pending, none after ${ended} s`,
      table,
    );
    const { pending, ...stored } = await storedFigures(database);
    printTable('rows, and the same summed over the counters of both replicas', [stored]);
    expect([pending, stored.failed > 0]).toEqual([0, true]);
    expect(table.reduce((sum, { requests }) => sum + requests, 0)).toBe(stored.attempts);
    await expectCounted(replicas, stored);

    // A removed webhook loses its rows, but their number stays.
    const gone = hooks[2]?.id;
    const { status } = await one.request('DELETE', `/v1/webhooks/${gone}`, { key: party.key });
    const { attempts, ...after } = await storedFigures(database);
    expect(status).toBe(204);
    expect(attempts).toBeLessThan(stored.attempts);
    expect(after).toEqual({ pending: 0, delivered: stored.delivered, failed: stored.failed });
    await expectReconciled(...replicas);
    for (const replica of replicas) expect(await replica.stop()).toBe(0);
  },
  5 * MINUTE,
);

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { subjectOf } from '../faults/counting-receiver.ts';
import { storedFigures } from '../faults/delivery-figures.ts';
import { answeredEvents, subjectsOf } from '../faults/events.ts';
import { MAX_ATTEMPTS, RECEIVERS } from '../faults/three-receivers.ts';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
import { waitFor } from '../support/service.ts';
import { hook } from '../webhooks/hooks.ts';
import type { Received } from '../webhooks/receiver.ts';
import { FailoverCluster } from './cluster.ts';
import { drill, expectKept } from './drill.ts';
import { DrilledService } from './drilled-service.ts';
import { KILLED, SWITCHOVER } from './faults.ts';

const MINUTE = 60_000;
/** Ten attempts at each of three receivers may be under way when the answer to a commit is lost: no counter knows them. */
const UNDER_WAY = 30;

let cluster: FailoverCluster;
beforeAll(async () => {
  cluster = await FailoverCluster.start();
}, 2 * MINUTE);
afterAll(() => cluster?.end());

test.each([SWITCHOVER, KILLED])(
  '$name while webhooks are delivered: every event comes, and to its end',
  async (fault) => {
    const drilled = await DrilledService.start(cluster, 'haproxy', {
      // A token names its issuer.
      JWT_ISSUER: 'https://auth.example.com',
      ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
      WEBHOOK_BACKOFF_SECONDS: '1',
      WEBHOOK_MAX_ATTEMPTS: String(MAX_ATTEMPTS),
    });
    onTestFinished(() => drilled.end());
    const { service } = drilled;
    const party = await newParty(service, 'sandbox');
    const hooks = await Promise.all(
      RECEIVERS.map(async ({ name, events, start, fate }) => {
        const receiver = await start();
        onTestFinished(() => receiver.close());
        const { id } = await hook(service, party, receiver.url, events);
        return { name, events: events as readonly string[], fate, receiver, id };
      }),
    );

    const shots = await drill(cluster, drilled, party, fault);
    await expectKept(drilled, shots);
    const { sql } = drilled;
    await waitFor(async () => (await storedFigures({ sql })).pending === 0 || undefined, 3 * MINUTE);

    const subjects = await subjectsOf({ sql });
    expect(answeredEvents(shots).filter((subject) => !subjects.includes(subject))).toEqual([]);
    const table = [];
    for (const { name, events, fate, receiver, id } of hooks) {
      const wanted = subjects.filter((subject) => events.includes(subject.split(' ')[0] ?? ''));
      expect([name, [...new Set(receiver.received.map(subjectOf))].sort()]).toEqual([name, wanted]);
      const rows = await sql<{ eventId: string; status: string; attempts: number }[]>`
        select event_id as "eventId", status, attempts from webhook_deliveries where webhook_id = ${id}`;
      const heard = new Map(receiver.received.map((event) => [event.body.id, event]));
      expect(rows.map(({ eventId, status }) => ({ eventId, status }))).toEqual(
        rows.map(({ eventId }) => ({ eventId, status: fate(heard.get(eventId) as Received).status })),
      );
      // An attempt whose end could not be stored is made again; none is stored that was not made.
      expect(
        rows.filter(({ eventId, attempts }) => attempts > (receiver.requests.get(eventId) ?? 0)),
      ).toEqual([]);
      table.push({
        receiver: name,
        events: rows.length,
        'attempts in rows': rows.reduce((sum, { attempts }) => sum + attempts, 0),
        requests: receiver.received.length,
      });
    }
    printTable(`webhooks, ${fault.name}`, table);
    const stored = await storedFigures({ sql });
    const ended = (status: string) => sumOver([service], 'grantex_webhook_deliveries_total', { status });
    const counted = (await ended('delivered')) + (await ended('failed'));
    const uncounted = stored.delivered + stored.failed - counted;
    expect([uncounted >= 0, uncounted <= UNDER_WAY, uncounted]).toEqual([true, true, uncounted]);
    expect(await service.stop()).toBe(0);
  },
  8 * MINUTE,
);

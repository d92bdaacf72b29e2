import type { Background } from '../db/client.ts';
import type { JobQueue, TakenJob } from '../db/job-queue.ts';
import type { Deps } from '../deps.ts';
import { outsideRequests } from '../request-scope.ts';
import { within } from '../within.ts';
import { attemptsOfOneWebhook, MAX_UNDER_WAY } from './attempts-share.ts';
import { type DeliverDeps, deliver } from './deliver.ts';
import { claimOutbox, loadDue, probeWork, purgeDeliveries } from './delivery-store.ts';
import { createSender, type Sender } from './send-message.ts';
import { createSettler, type DeliveryJob, type Settler } from './settle.ts';

const QUEUE = 'webhook-deliveries';
const TAKE_AT_ONCE = 100;
const MOVE_AT_ONCE = 500;
/** How soon is noticed what another replica wrote and did not live to deliver, and that a retry is due. */
const LOOK_EVERY_MS = 1000;
/** The same while there is no webhook at all. */
const LOOK_WITHOUT_WEBHOOKS_MS = 5000;
/** The time of an attempt's transaction. After it the job expires, and another worker makes the attempt again. */
const SETTLE_SECONDS = 30;
const PURGE_EVERY_MS = 60 * 60 * 1000;
const PURGE_AT_ONCE = 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** After the end of their time, attempts under way are ended and their jobs given back; for that there is this much. */
const GIVE_BACK_MS = 1000;

export interface DeliveryWorkers {
  /** Begins the work. Call it once. */
  start(): void;
  /** There may be deliveries to make. */
  wake(): void;
  /** Begins no new attempts, lets those under way end within `graceMs`, and gives the others back. */
  stop(graceMs: number): Promise<void>;
}

interface Tools {
  readonly queue: JobQueue<DeliveryJob>;
  readonly sender: Sender;
  readonly settler: Settler;
}

type WorkerDeps = DeliverDeps & Pick<Deps, 'db'>;

/**
 * Makes the deliveries, on every replica side by side. What the statements of the requests wrote becomes one job for each
 * delivery, and jobs are taken as long as there is room. This process is woken by its own requests; what others left behind
 * is found by looking. While there is no webhook, nothing is loaded and next to nothing is asked.
 */
export function createDeliveryWorkers(deps: WorkerDeps): DeliveryWorkers {
  const { db, telemetry, clock, config } = deps;
  const underWay = new Set<Promise<void>>();
  const ending = new AbortController();
  const alarm = createAlarm();
  let tools: Tools | undefined;
  let stopping = false;
  let purgedAt = Number.NEGATIVE_INFINITY;

  const report = (step: string) => (error: unknown) => telemetry.events.webhookWorkFailed({ step, error });

  const open = async (): Promise<Tools> => {
    const { openJobQueue } = await import('../db/job-queue.ts');
    const expireSeconds = Math.ceil(config.webhookTimeoutMs / 1000) + SETTLE_SECONDS;
    const settings = { name: QUEUE, expireSeconds, migrate: config.migrateOnStart, onError: report('queue') };
    const queue = await openJobQueue<DeliveryJob>(db.background, settings);
    const sender = await createSender({
      timeoutMs: config.webhookTimeoutMs,
      allowPrivate: config.allowPrivateWebhookHosts,
      now: () => clock.now(),
    });
    return { queue, sender, settler: createSettler(db.background, queue, report('settle')) };
  };

  const begin = (job: TakenJob<DeliveryJob>, work: Promise<unknown>) => {
    const done: Promise<void> = work
      // The job stays taken and lapses: then it is tried again.
      .catch(report(`deliver ${job.data.deliveryId}`))
      .then(() => {
        underWay.delete(done);
        alarm.ring();
      });
    underWay.add(done);
  };

  /** @returns whether there may be more to do at once */
  const take = async ({ queue, sender, settler }: Tools): Promise<boolean> => {
    const limit = Math.min(TAKE_AT_ONCE, MAX_UNDER_WAY - underWay.size);
    if (limit === 0) return false;
    const jobs = await queue.take({ limit, perGroup: attemptsOfOneWebhook(underWay.size) });
    if (jobs.length === 0) return false;
    const ids = jobs.map(({ data }) => data.deliveryId);
    const due = new Map((await loadDue(db.background, ids)).map((delivery) => [delivery.id, delivery]));
    for (const job of jobs) {
      const delivery = due.get(job.data.deliveryId);
      const used = { sender, settler, signal: ending.signal };
      if (delivery) begin(job, deliver(deps, used, job, delivery));
      // It has ended, or its webhook is gone.
      else begin(job, settler.settle({ job, end: null, next: null }));
    }
    return true;
  };

  /** However much has gathered, deliveries wait for one statement of it at most. @returns whether there may be more */
  const purge = async (): Promise<boolean> => {
    const now = clock.now();
    if (now - purgedAt < PURGE_EVERY_MS) return false;
    const before = new Date(now - config.webhookRetentionDays * DAY_MS);
    const more = (await purgeDeliveries(db.background, before, PURGE_AT_ONCE)) === PURGE_AT_ONCE;
    if (!more) purgedAt = now;
    return more;
  };

  /** @returns the milliseconds until the next work is due, unless the alarm rings earlier */
  const look = async (): Promise<number> => {
    const work = await probeWork(db.background);
    if (!work.webhooks) return LOOK_WITHOUT_WEBHOOKS_MS;
    tools ??= await open();
    const { queue } = tools;
    const moved = work.outbox ? await moveToQueue(db.background, queue) : 0;
    const more = await take(tools);
    const old = await purge();
    return more || old || moved === MOVE_AT_ONCE ? 0 : LOOK_EVERY_MS;
  };

  const run = async () => {
    while (!stopping) {
      const pause = await look().catch((error: unknown) => {
        report('look')(error);
        return LOOK_EVERY_MS;
      });
      if (pause > 0 && !stopping) await alarm.wait(pause);
    }
  };
  let running: Promise<void> = Promise.resolve();

  const end = async (graceMs: number) => {
    stopping = true;
    alarm.ring();
    const idle = running.then(() => Promise.all(underWay));
    await within(graceMs, idle);
    ending.abort();
    tools?.settler.giveUp();
    await within(GIVE_BACK_MS, idle);
    await tools?.queue.stop().catch(report('stop'));
    await tools?.sender.close();
  };
  let ended: Promise<void> | undefined;
  return {
    start() {
      // Outside the context of whatever starts it: its work belongs to no request.
      running = outsideRequests(run);
    },
    wake: alarm.ring,
    stop(graceMs) {
      ended ??= end(graceMs);
      return ended;
    },
  };
}

/** One job for each delivery of the outbox, in the transaction that marks it: no delivery has none, and none has two. */
function moveToQueue(db: Background, queue: JobQueue<DeliveryJob>): Promise<number> {
  return db.transaction(async (tx) => {
    const rows = await claimOutbox(tx, MOVE_AT_ONCE);
    await queue.add(
      tx,
      rows.map(({ id, webhookId }) => ({ data: { deliveryId: id }, group: webhookId })),
    );
    return rows.length;
  });
}

/** An alarm that ends a wait. A ring without a waiter ends the next wait. */
function createAlarm(): { ring(): void; wait(ms: number): Promise<void> } {
  let rung = false;
  let wakeUp: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wakeUp?.();
    },
    async wait(ms) {
      if (!rung) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wakeUp = resolve;
          timer = setTimeout(resolve, ms);
        });
        clearTimeout(timer);
        wakeUp = undefined;
      }
      rung = false;
    },
  };
}

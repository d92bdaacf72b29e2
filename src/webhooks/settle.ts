import { setTimeout } from 'node:timers/promises';
import type { Background } from '../db/client.ts';
import type { JobQueue, NewJob, TakenJob } from '../db/job-queue.ts';
import { type AttemptEnd, settleAttempts } from './delivery-store.ts';

/** What a job of the queue says. */
export interface DeliveryJob {
  readonly deliveryId: string;
}

/** What is to be stored of a job that was taken. */
export interface Settlement {
  readonly job: TakenJob<DeliveryJob>;
  /** null: no attempt was made, or it was given up half-way. */
  readonly end: AttemptEnd | null;
  /** The job that comes after this one, if any. Where there is an `end`, only if that end is stored. */
  readonly next: NewJob<DeliveryJob> | null;
}

export interface Settler {
  /**
   * Stores a settlement; those that come together share a transaction. A database that fails is asked again until it
   * answers, or until `giveUp`.
   * @returns whether the end was stored; false when the delivery had gone or ended meanwhile, or the database did not answer
   */
  settle(settlement: Settlement): Promise<boolean>;
  /** From now on nothing is tried twice. What is not stored is done again when its job lapses. */
  giveUp(): void;
}

const RETRY_MS = 500;
const MAX_BATCH = 200;

interface Waiting extends Settlement {
  readonly resolve: (stored: boolean) => void;
}

/**
 * The end of an attempt, the job that follows from it and the removal of the one that was done are one transaction: a
 * crash before it means one more attempt, a crash after it means nothing.
 */
export function createSettler(
  db: Background,
  queue: JobQueue<DeliveryJob>,
  onError: (error: unknown) => void,
): Settler {
  const waiting: Waiting[] = [];
  let flushing = false;
  let patient = true;

  const store = (batch: readonly Waiting[]): Promise<Set<string>> =>
    db.transaction(async (tx) => {
      const ends = batch.flatMap(({ end }) => end ?? []);
      const stored = ends.length === 0 ? new Set<string>() : await settleAttempts(tx, ends);
      const next = batch
        .filter(({ end }) => end === null || stored.has(end.id))
        .flatMap((one) => one.next ?? []);
      await queue.add(tx, next);
      await queue.remove(
        tx,
        batch.map(({ job }) => job),
      );
      return stored;
    });

  const storePatiently = async (batch: readonly Waiting[]): Promise<Set<string>> => {
    for (;;)
      try {
        return await store(batch);
      } catch (error) {
        onError(error);
        if (!patient) return new Set();
        await setTimeout(RETRY_MS);
      }
  };

  const flush = async () => {
    flushing = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MAX_BATCH);
      const stored = await storePatiently(batch);
      for (const { end, resolve } of batch) resolve(end !== null && stored.has(end.id));
    }
    flushing = false;
  };

  return {
    settle: (settlement) =>
      new Promise((resolve) => {
        waiting.push({ ...settlement, resolve });
        if (!flushing) void flush();
      }),
    giveUp() {
      patient = false;
    },
  };
}

import { type BunSqlLike, fromBunSql, PgBoss } from 'pg-boss';
import type { Background } from './client.ts';
import { JOBS_SCHEMA } from './jobs-schema.ts';
import type { Queryable } from './queryable.ts';

/** Longer than any outage: a job is never thrown away because nobody took it for a while. */
const KEEP_SECONDS = 10 * 365 * 24 * 60 * 60;
/** A job comes back as often as its worker vanishes. */
const UNLIMITED = 1_000_000_000;
/** How often jobs of those who vanished are looked for, by one replica for all. */
const SUPERVISE_SECONDS = 5;

export interface NewJob<T> {
  readonly data: T;
  /** Jobs of one group are limited together when they are taken. */
  readonly group: string;
  /** Not to be taken earlier than this. */
  readonly delaySeconds?: number;
}

/** A job that was taken. `retryCount` tells this taking from a later one. */
export interface TakenJob<T> {
  readonly id: string;
  readonly retryCount: number;
  readonly data: T;
}

/**
 * A queue of jobs in the database, shared by all replicas. A job that was taken and not removed within `expireSeconds`
 * is there to be taken again: whatever happens to its worker, each job is done at least once.
 */
export interface JobQueue<T> {
  /** Adds jobs with the transaction: they exist if and only if it commits. */
  add(tx: Queryable, jobs: readonly NewJob<T>[]): Promise<void>;
  /** Takes the oldest jobs that are due, of no group more than `perGroup` counting those taken before, by whichever replica. */
  take(options: { limit: number; perGroup: number }): Promise<TakenJob<T>[]>;
  /** Removes jobs with the transaction; one that was meanwhile taken by somebody else stays. */
  remove(tx: Queryable, jobs: readonly TakenJob<T>[]): Promise<void>;
  /** Ends what the queue does by itself. Jobs stay. */
  stop(): Promise<void>;
}

export interface JobQueueOptions {
  readonly name: string;
  /** Within this a job must be done. */
  readonly expireSeconds: number;
  /** Brings the queue's tables to the version of this release; otherwise the start fails when they are older. */
  readonly migrate: boolean;
  /** A look after lapsed jobs failed; it is repeated. */
  readonly onError: (error: unknown) => void;
}

/**
 * Opens a queue on pg-boss. Replicas may do so at the same moment: the tables are made under an advisory lock, and making
 * a queue that exists does nothing.
 * @throws when the database is not reachable, or its tables are missing and `migrate` is false
 */
export async function openJobQueue<T extends object>(
  db: Background,
  options: JobQueueOptions,
): Promise<JobQueue<T>> {
  const { name } = options;
  const boss = createBoss(db.driver(), {
    migrate: options.migrate,
    supervise: true,
    onError: options.onError,
  });
  const stop = () => boss.stop({ graceful: false, close: false });
  try {
    await boss.start();
    await boss.createQueue(name);
  } catch (error) {
    // Else it would go on looking after the queue beside the one that the next attempt opens.
    await stop();
    throw error;
  }
  return {
    async add(tx, jobs) {
      if (jobs.length === 0) return;
      await boss.insert(
        name,
        jobs.map(({ data, group, delaySeconds }) => ({
          data,
          group: { id: group },
          retryLimit: UNLIMITED,
          retryDelay: 0,
          retentionSeconds: KEEP_SECONDS,
          expireInSeconds: options.expireSeconds,
          ...(delaySeconds !== undefined && { startAfter: delaySeconds }),
        })),
        { db: fromBunSql(db.driver(tx)) },
      );
    },
    take: ({ limit, perGroup }) => boss.fetch<T>(name, { batchSize: limit, groupConcurrency: perGroup }),
    async remove(tx, jobs) {
      if (jobs.length === 0) return;
      const attempts = jobs.map(({ id, retryCount }) => ({ id, retryCount }));
      await boss.deleteJob(name, attempts, { db: fromBunSql(db.driver(tx)) });
    },
    stop,
  };
}

/** Makes the queue's tables, or brings them to the version of this release. Replicas may do so at the same moment. */
export async function migrateJobs(driver: BunSqlLike): Promise<void> {
  const boss = createBoss(driver, { migrate: true, supervise: false, onError: () => undefined });
  await boss.start();
  await boss.stop({ graceful: false, close: false });
}

function createBoss(
  driver: BunSqlLike,
  options: { migrate: boolean; supervise: boolean; onError: (error: unknown) => void },
): PgBoss {
  const boss = new PgBoss({
    db: fromBunSql(driver),
    schema: JOBS_SCHEMA,
    migrate: options.migrate,
    schedule: false,
    registerInstance: false,
    // Its own spans are a trace for every look into an empty queue, and settle one delivery within the span of another; what
    // its metrics say of the queue is up to a minute old.
    openTelemetry: { enabled: false },
    supervise: options.supervise,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
  });
  boss.on('error', options.onError);
  return boss;
}

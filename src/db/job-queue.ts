import { type BunSqlLike, fromBunSql, PgBoss } from 'pg-boss';
import type { Background } from './client.ts';
import { JOBS_SCHEMA } from './jobs-schema.ts';
import type { Queryable } from './queryable.ts';

/** Longer than any outage, so that no job expires because no worker took it for a while. */
const KEEP_SECONDS = 10 * 365 * 24 * 60 * 60;
/** A job is taken again however often its worker disappears. */
const UNLIMITED = 1_000_000_000;
/** How often one replica looks, for all of them, for jobs whose worker disappeared. */
const SUPERVISE_SECONDS = 5;

export interface NewJob<T> {
  readonly data: T;
  /** Jobs of one group are limited together when they are taken. */
  readonly group: string;
  /** Not to be taken earlier than this. */
  readonly delaySeconds?: number;
}

/** A job that was taken. `retryCount` distinguishes this attempt from a later one. */
export interface TakenJob<T> {
  readonly id: string;
  readonly retryCount: number;
  readonly data: T;
}

/**
 * A queue of jobs in the database, shared by all replicas. A job that was taken and not removed within `expireSeconds` can be
 * taken again. So each job is done at least once, whatever happens to its worker.
 */
export interface JobQueue<T> {
  /** Adds jobs with the transaction: they exist if and only if it commits. */
  add(tx: Queryable, jobs: readonly NewJob<T>[]): Promise<void>;
  /** Takes the oldest jobs that are due. Each group has at most `perGroup` taken jobs, counted over all replicas. */
  take(options: { limit: number; perGroup: number }): Promise<TakenJob<T>[]>;
  /** Removes jobs with the transaction. A job that another worker has taken in the meantime stays. */
  remove(tx: Queryable, jobs: readonly TakenJob<T>[]): Promise<void>;
  /** Ends the queue's background work. Jobs stay. */
  stop(): Promise<void>;
}

export interface JobQueueOptions {
  readonly name: string;
  /** The time within which a job must be done. */
  readonly expireSeconds: number;
  /** Brings the queue's tables to the version of this release; otherwise the start fails when they are older. */
  readonly migrate: boolean;
  /** A search for expired jobs failed. It is repeated. */
  readonly onError: (error: unknown) => void;
}

/**
 * Opens a queue on pg-boss. Replicas may do so at the same moment: pg-boss creates the tables under an advisory lock, and
 * creating a queue that exists does nothing.
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
    // Otherwise it would go on supervising the queue beside the instance that the next attempt opens.
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

/** Creates the queue's tables, or brings them to the version of this release. Replicas may do so at the same moment. */
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
    // pg-boss would record a trace for every look into an empty queue, and settle one delivery within the span of another.
    // Its metrics of the queue would be up to a minute old.
    openTelemetry: { enabled: false },
    supervise: options.supervise,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
  });
  boss.on('error', options.onError);
  return boss;
}

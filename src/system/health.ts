import type { Side } from '../db/client.ts';
import { within } from '../within.ts';
import { hasDiskSpace } from './store.ts';

/** A database that does not answer within this time counts as down. `/health` must always answer within 2 s. */
const TIMEOUT_MS = 1500;
/** How long a successful check of the disk space counts. */
const DISK_CHECK_MS = 2000;

/** The state that the health routes report. */
export interface Health {
  /** Whether the database takes writes and has disk space for them. */
  databaseAnswers(): Promise<boolean>;
  /** From this call on, the process wants no new traffic. */
  beginShutdown(): void;
  readonly stopping: boolean;
}

/** Checks the database on a separate connection. Concurrent callers share one check. */
export function createHealth(db: Side): Health {
  let checking: Promise<boolean> | undefined;
  let diskCheckedUntil = 0;
  let stopping = false;

  const checkDatabase = async (): Promise<boolean> => {
    await db.assertWritable(TIMEOUT_MS);
    if (performance.now() < diskCheckedUntil) return true;
    if (!(await hasDiskSpace(db))) return false;
    diskCheckedUntil = performance.now() + DISK_CHECK_MS;
    return true;
  };
  const checkInTime = async (): Promise<boolean> => {
    const answer = checkDatabase().catch(() => false);
    return (await within(TIMEOUT_MS, answer)) ?? false;
  };

  return {
    databaseAnswers() {
      checking ??= checkInTime().finally(() => {
        checking = undefined;
      });
      return checking;
    },
    beginShutdown() {
      stopping = true;
    },
    get stopping() {
      return stopping;
    },
  };
}

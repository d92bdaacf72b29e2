import type { Queryable } from '../db/client.ts';
import { within } from '../within.ts';
import { ping } from './store.ts';

/** A database that has not answered by then counts as down; `/health` answers within 2 s whatever hangs. */
const PATIENCE_MS = 1500;

/** What the health routes report. */
export interface Health {
  databaseAnswers(): Promise<boolean>;
  /** From here on the process wants no new traffic. */
  beginShutdown(): void;
  readonly stopping: boolean;
}

/** Asks the database on a connection of its own, once for all callers that ask at the same time. */
export function createHealth(db: Queryable): Health {
  let asking: Promise<boolean> | undefined;
  let stopping = false;

  const ask = async (): Promise<boolean> => {
    const answer = ping(db).then(
      () => true,
      () => false,
    );
    return (await within(PATIENCE_MS, answer)) ?? false;
  };

  return {
    databaseAnswers() {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    beginShutdown() {
      stopping = true;
    },
    get stopping() {
      return stopping;
    },
  };
}

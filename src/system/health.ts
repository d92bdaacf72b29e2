import type { Side } from '../db/client.ts';
import { within } from '../within.ts';
import { hasRoom } from './store.ts';

/** A database that has not answered by then counts as down; `/health` answers within 2 s whatever hangs. */
const PATIENCE_MS = 1500;
/** How long it is believed that the disk has room. */
const ROOM_MS = 2000;

/** What the health routes report. */
export interface Health {
  /** Whether the database takes writes, and has room for them. */
  databaseAnswers(): Promise<boolean>;
  /** From here on the process wants no new traffic. */
  beginShutdown(): void;
  readonly stopping: boolean;
}

/** Asks the database on a connection of its own, once for all callers that ask at the same time. */
export function createHealth(db: Side): Health {
  let asking: Promise<boolean> | undefined;
  let roomUntil = 0;
  let stopping = false;

  const look = async (): Promise<boolean> => {
    await db.assertWritable(PATIENCE_MS);
    if (performance.now() < roomUntil) return true;
    if (!(await hasRoom(db))) return false;
    roomUntil = performance.now() + ROOM_MS;
    return true;
  };
  const ask = async (): Promise<boolean> => {
    const answer = look().catch(() => false);
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

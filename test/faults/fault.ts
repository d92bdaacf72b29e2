import type { TestService } from '../support/service.ts';
import type { NameTable } from './name-table.ts';
import type { Tmpfs } from './server-files.ts';
import type { Traffic } from './traffic.ts';
import type { Route, Way } from './ways.ts';

/** Where a fault happens. */
export interface Scene {
  /** Of the database, when the fault asked for it. */
  readonly disk: Tmpfs | undefined;
  /** The service's table of names, when the fault asked for it. */
  readonly names: NameTable | undefined;
  readonly route: Route;
  readonly service: TestService;
  /** The name of the service's database. */
  readonly database: string;
  readonly traffic: Traffic;
}

/** A fault that has begun. */
export interface Lasting {
  /** From when that resolves the service has its time to recover. */
  readonly end: () => Promise<void> | void;
  /** What must be so besides after the recovery. */
  readonly proof?: () => Promise<void>;
  /** Clears away what the service needed until its end. */
  readonly after?: () => Promise<void>;
}

/** What is brought about, and what must be seen of it. */
export interface Fault {
  readonly name: string;
  /** Whether there is such a fault on this way; on every one unless given. */
  readonly on?: (way: Way) => boolean;
  readonly begin: (scene: Scene) => Promise<Lasting>;
  /**
   * Callers while it lasts: `refused`, each for sure, and health says so, too; `some` may be, but it may be over too soon or
   * concern few; `none` is.
   */
  readonly callers: 'refused' | 'some' | 'none';
  /** It lasts for that long at least. */
  readonly lastsMs?: number;
  /** A statement may be under way whose outcome nobody learns: then 500 is the truth. */
  readonly unknown?: true;
  /** It happens while nobody asks for anything. */
  readonly quiet?: true;
  /** The database is on a small disk of its own. */
  readonly onSmallDisk?: true;
  /** The service runs with its own table of names, and reaches the database by the name `localhost`. */
  readonly byName?: true;
  /** The `error` of the lines `database.connection_error`: at least one line says one of these, and none anything else. */
  readonly logged: (way: Way) => Logged;
  /** Of `grantex_statements_ended_total`: what has certainly grown. */
  readonly ended?: 'statement_timeout' | 'lock_timeout' | 'idle_in_transaction' | 'cancel';
}

export interface Logged {
  /** Empty when no connection need be lost or refused. */
  readonly one: readonly string[];
  /** What may be said besides. */
  readonly others?: readonly string[];
}

/** What can happen on this way. */
export const faultsOn = (way: Way, faults: readonly Fault[]): Fault[] =>
  faults.filter(({ on }) => on?.(way) ?? true);

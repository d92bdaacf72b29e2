import type { TestService } from '../support/service.ts';
import type { NameTable } from './name-table.ts';
import type { Tmpfs } from './server-files.ts';
import type { Traffic } from './traffic.ts';
import type { Route, Way } from './ways.ts';

/** The environment of a fault. */
export interface Scene {
  /** The disk of the database, when the fault asked for one. */
  readonly disk: Tmpfs | undefined;
  /** The service's own table of host names, when the fault asked for one. */
  readonly names: NameTable | undefined;
  readonly route: Route;
  readonly service: TestService;
  /** The name of the service's database. */
  readonly database: string;
  readonly traffic: Traffic;
}

/** A fault that has begun. */
export interface Lasting {
  /** Ends the fault. When it resolves, the service's time to recover begins. */
  readonly end: () => Promise<void> | void;
  /** Additional checks after the recovery. */
  readonly proof?: () => Promise<void>;
  /** Removes what the service needed until its end. */
  readonly after?: () => Promise<void>;
}

/** A fault, and its expected effects. */
export interface Fault {
  readonly name: string;
  /** Whether the fault is possible on this way. By default it is possible on all. */
  readonly on?: (way: Way) => boolean;
  readonly begin: (scene: Scene) => Promise<Lasting>;
  /**
   * Whether callers are refused during the fault. `refused`: each certainly is, and health reports it. `some`: some may
   * be, because the fault may be short or affect few. `none`: no caller is.
   */
  readonly callers: 'refused' | 'some' | 'none';
  /** The minimum duration of the fault. */
  readonly lastsMs?: number;
  /**
   * The outcome of a statement under way may be unknown. Then 500 is the right answer. `behind a pooler`: the server tells the
   * pooler how the session ended, but the pooler tells the service only that it lost the server.
   */
  readonly unknown?: true | 'behind a pooler';
  /** The fault happens while there are no requests. */
  readonly quiet?: true;
  /** The database is on a separate small disk. */
  readonly onSmallDisk?: true;
  /** The service has its own table of host names, and connects to the database by the name `localhost`. */
  readonly byName?: true;
  /** The expected values of `error` in the lines `database.connection_error`. */
  readonly logged: (way: Way) => Logged;
  /** The label of `grantex_statements_ended_total` whose count must have increased. */
  readonly ended?: 'statement_timeout' | 'lock_timeout' | 'idle_in_transaction' | 'cancel';
}

export interface Logged {
  /** At least one line has one of these. Empty when possibly no connection is lost or refused. */
  readonly one: readonly string[];
  /** Other values that are allowed. */
  readonly others?: readonly string[];
}

/** The faults that are possible on this way. */
export const faultsOn = (way: Way, faults: readonly Fault[]): Fault[] =>
  faults.filter(({ on }) => on?.(way) ?? true);

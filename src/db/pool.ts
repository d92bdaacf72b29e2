import type { Target } from '../database-url/target.ts';
import { unavailable } from '../errors.ts';
import { createFairQueue } from '../fair-queue.ts';
import type { StatementEnd } from '../label-values.ts';
import { within } from '../within.ts';
import type { Connection } from './connection.ts';
import { causeOf, concernsConnection, concernsServer } from './errors.ts';
import type { SessionLimits } from './limits.ts';
import { openConnection } from './open-connection.ts';

export interface PoolOptions {
  readonly name: string;
  /** Most connections. */
  readonly max: number;
  readonly target: Target;
  readonly limits: SessionLimits;
  /** A connection could not be opened, was lost, or was given up. */
  readonly onConnectionError: (error: Error) => void;
  /** A statement was ended because it took too long. */
  readonly onStatementEnded: (by: StatementEnd) => void;
  /** Called for every use with the seconds that it waited for its connection. */
  readonly onWaited: (seconds: number) => void;
  /** A fault concerns the server. The connections of all pools should be replaced. */
  readonly onServerSuspected: () => void;
}

export interface Pool {
  /**
   * Lends a connection to `work` for exclusive use.
   * @param tenant null: for several tenants. One tenant has at most half of the connections, and waits behind the others
   * @throws SERVICE_UNAVAILABLE, without having run `work`, when none came free within `waitMs` or too many wait already
   */
  use<T>(tenant: string | null, waitMs: number, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** The numbers of established connections and of callers that wait for one. */
  state(): { readonly used: number; readonly idle: number; readonly waiting: number };
  /** Never lends the connections again that are open now. */
  renew(): void;
  /** Waits for work under way, at most `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

const OPEN_TIMEOUT_MS = 2_000;
/** The pause between two failing attempts to connect. It doubles up to the maximum. */
const RETRY_MS = 250;
const MAX_RETRY_MS = 1_000;
/** After this many failures, and without any connection, waiting callers are refused. A single failure may be a blip. */
const FAILURES_UNTIL_REFUSED = 2;
/** A connection is replaced after this time, so that a changed DNS name or a new pooler takes effect. */
const LIFETIME_MS = 30 * 60 * 1_000;
/** With more waiting callers per connection than this, a caller is refused at once. One tenant may have a quarter of them. */
const WAITING_PER_CONNECTION = 400;
const TENANT_QUEUE_DIVISOR = 4;
/** Stands for work that serves several tenants. */
const NO_TENANT = '';

interface Waiter {
  readonly tenant: string;
  take(connection: Connection): void;
  refuse(error: unknown): void;
}

/**
 * A pool of connections that replaces unfit ones. It opens a connection when a caller waits for one. While opening fails, it
 * makes one attempt at a time. A connection that is given back may still serve a waiting caller.
 */
export function createPool(options: PoolOptions): Pool {
  const { max, onConnectionError, onWaited } = options;
  const idle: Connection[] = [];
  const lent = new Map<Connection, string>();
  const queue = createFairQueue<Waiter>();
  const held = new Map<string, number>();
  const share = Math.ceil(max / 2);
  const maxWaiting = max * WAITING_PER_CONNECTION;
  let opening = 0;
  let failures = 0;
  let failedAt = 0;
  let retry: NodeJS.Timeout | undefined;
  let trustedFrom = 0;
  let closing = false;
  let emptied: (() => void) | undefined;

  const eligible = (tenant: string) => tenant === NO_TENANT || (held.get(tenant) ?? 0) < share;
  const usable = (connection: Connection) =>
    connection.fit &&
    connection.openedAt >= trustedFrom &&
    performance.now() - connection.openedAt < LIFETIME_MS;
  const discard = (connection: Connection) => void connection.close();

  const takeIdle = (): Connection | undefined => {
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (usable(connection)) return connection;
      discard(connection);
    }
    return undefined;
  };
  const lend = (connection: Connection, tenant: string) => {
    lent.set(connection, tenant);
    held.set(tenant, (held.get(tenant) ?? 0) + 1);
  };
  const giveBack = (connection: Connection, tenant: string) => {
    lent.delete(connection);
    const left = (held.get(tenant) ?? 1) - 1;
    if (left > 0) held.set(tenant, left);
    else held.delete(tenant);
    if (closing || !usable(connection)) discard(connection);
    else idle.push(connection);
    if (closing && lent.size === 0) emptied?.();
    dispatch();
  };

  const dispatch = () => {
    while (queue.size > 0) {
      const connection = takeIdle();
      if (!connection) break;
      const waiter = queue.take(eligible);
      if (!waiter) {
        idle.push(connection);
        break;
      }
      lend(connection, waiter.tenant);
      waiter.take(connection);
    }
    openForWaiting();
  };
  const openForWaiting = () => {
    if (closing) return;
    const room = max - lent.size - idle.length - opening;
    const wanted = Math.min(queue.size - opening, room);
    if (wanted <= 0) return;
    if (failures === 0) for (let count = 0; count < wanted; count++) void open();
    else if (opening === 0 && !retry) {
      const pause = Math.min(RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
      retry = setTimeout(
        () => {
          retry = undefined;
          if (queue.size > 0 && !closing) void open();
        },
        Math.max(0, failedAt + pause - performance.now()),
      );
    }
  };
  const open = async (): Promise<void> => {
    opening++;
    const begun = performance.now();
    try {
      const connection: Connection = await openConnection({
        target: options.target,
        limits: options.limits,
        timeoutMs: OPEN_TIMEOUT_MS,
        onLost: (error) => lost(connection, error),
        onStatementEnded: options.onStatementEnded,
      });
      failures = 0;
      if (closing) discard(connection);
      else idle.push(connection);
    } catch (error) {
      // Parallel attempts fail for the same reason, so they count once.
      if (begun >= failedAt) failures++;
      failedAt = performance.now();
      report(error);
      if (failures >= FAILURES_UNTIL_REFUSED && lent.size + idle.length === 0)
        for (const waiter of queue.drain()) waiter.refuse(unavailable(error));
    } finally {
      opening--;
      dispatch();
    }
  };

  const report = (error: unknown) =>
    onConnectionError(error instanceof Error ? error : new Error(String(error)));
  const suspect = (error: unknown) => {
    if (concernsServer(error)) options.onServerSuspected();
  };
  const lost = (connection: Connection, error: Error) => {
    const at = idle.indexOf(connection);
    if (at >= 0) idle.splice(at, 1);
    report(error);
    suspect(error);
    dispatch();
  };
  const reportUnfit = (connection: Connection, error: unknown) => {
    // `lost` has already reported a closed connection.
    if (connection.fit || !connection.open || !concernsConnection(error)) return;
    report(causeOf(error));
    suspect(error);
  };

  const wait = (tenant: string, waitMs: number): Promise<Connection> => {
    if (queue.size >= maxWaiting || queue.of(tenant) >= maxWaiting / TENANT_QUEUE_DIVISOR)
      throw unavailable(new Error('too many wait for a connection'));
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        onWaited((performance.now() - begun) / 1000);
      };
      const waiter: Waiter = {
        tenant,
        take(connection) {
          end();
          resolve(connection);
        },
        refuse(error) {
          end();
          reject(error);
        },
      };
      const timer = setTimeout(
        () => {
          queue.remove(tenant, waiter);
          waiter.refuse(unavailable(new Error(`no connection came free within ${Math.round(waitMs)} ms`)));
        },
        Math.max(0, waitMs),
      );
      queue.add(tenant, waiter);
      openForWaiting();
    });
  };
  const acquire = (tenant: string, waitMs: number): Connection | Promise<Connection> => {
    if (closing) throw unavailable(new Error('the connections are being closed'));
    const connection = eligible(tenant) ? takeIdle() : undefined;
    if (!connection) return wait(tenant, waitMs);
    onWaited(0);
    lend(connection, tenant);
    return connection;
  };

  return {
    async use(tenant, waitMs, work) {
      const of = tenant ?? NO_TENANT;
      const connection = await acquire(of, waitMs);
      try {
        return await work(connection);
      } catch (error) {
        reportUnfit(connection, error);
        throw error;
      } finally {
        giveBack(connection, of);
      }
    },
    state: () => ({
      used: [...lent.keys()].filter(({ open }) => open).length,
      idle: idle.length,
      waiting: queue.size,
    }),
    renew() {
      trustedFrom = performance.now();
      for (const connection of idle.splice(0)) discard(connection);
      dispatch();
    },
    async close(timeoutMs) {
      closing = true;
      clearTimeout(retry);
      for (const waiter of queue.drain())
        waiter.refuse(unavailable(new Error('the connections are being closed')));
      const free = idle.splice(0).map((connection) => connection.close());
      if (lent.size > 0)
        await within(
          timeoutMs,
          new Promise<void>((resolve) => {
            emptied = resolve;
          }),
        );
      for (const connection of lent.keys()) connection.destroy();
      await Promise.all(free);
    },
  };
}

import type postgres from 'postgres';
import type { StatementEnd } from '../label-values.ts';
import { within } from '../within.ts';
import { type Backend, cancelStatement } from './cancel.ts';
import { endedBy, isUnfit, ReadOnlyServerError, UnreplicatedCommitError } from './errors.ts';
import type { SessionLimits } from './limits.ts';
import type { Link } from './link.ts';

/** Asks for the pid of the backend, and whether it takes writes. */
export const CHECK = `select pg_backend_pid() as pid, current_setting('transaction_read_only') = 'on' as "readOnly"`;

/** How often a silent server is asked to cancel, and for how long in total. */
const CANCEL_PATIENCE_MS = 1_000;
const GIVE_UP_MS = 15_000;
/** The time that a cancelled statement has to report its end. */
const CANCELLED_MS = 500;
/** The time for an orderly goodbye to the server. */
const CLOSE_SECONDS = 1;

export interface ConnectionOptions {
  readonly limits: SessionLimits;
  /** A statement was ended because it took too long. */
  readonly onStatementEnded: (by: StatementEnd) => void;
}

export type Rows = readonly Record<string, unknown>[];

/** The command tag of a completed statement, and its rows. Several statements give one array each. */
export type Result = Rows & { readonly command?: string };

export interface StatementOptions {
  /** Keep the statement prepared on the server. Not behind a pooler, where the next statement may run on another server. */
  readonly prepare: boolean;
  /** How long to wait for an answer before the statement is cancelled; 0: without limit. */
  readonly limitMs: number;
}

/**
 * One connection: a client of the driver that never opens a second one. The service opens the socket itself, so that it sees
 * the end of the connection in every mode of TLS. The pool discards a connection at the first sign that it is unfit.
 */
export class Connection {
  /** A pooler stands between the service and the server. Sessions are shared then, so nothing may be set or prepared on them. */
  readonly pooled: boolean;
  readonly openedAt = performance.now();
  readonly #sql: postgres.Sql;
  readonly #link: Link;
  readonly #backend: Backend;
  readonly #options: ConnectionOptions;
  #underWay: Promise<unknown> = Promise.resolve();
  #retired = false;

  constructor(sql: postgres.Sql, link: Link, backend: Backend, pooled: boolean, options: ConnectionOptions) {
    this.#sql = sql;
    this.#link = link;
    this.#backend = backend;
    this.#options = options;
    this.pooled = pooled;
  }

  /** Whether it may be used again. */
  get fit(): boolean {
    return !this.#retired && !this.#link.closed;
  }

  /** Whether it is established, fit or not. */
  get open(): boolean {
    return !this.#link.closed;
  }

  /** The text that begins a transaction. Behind a pooler it also sets the limits of the session. */
  get begin(): string {
    if (!this.pooled) return 'begin';
    const { statementMs, lockMs, idleInTransactionMs } = this.#options.limits;
    return `begin; set local statement_timeout = ${statementMs}; set local lock_timeout = ${lockMs};
      set local idle_in_transaction_session_timeout = ${idleInTransactionMs}`;
  }

  /**
   * Runs one statement, or several when there are no values.
   * @throws ConnectionLostError with the server's own code where it gave one; the server's error; UnreplicatedCommitError
   */
  async run(
    text: string,
    values: readonly unknown[],
    { prepare, limitMs }: StatementOptions,
  ): Promise<Result> {
    const query = this.#sql.unsafe(text, values as postgres.ParameterOrJSON<never>[], { prepare });
    const timer = limitMs > 0 ? setTimeout(() => void this.#end(), limitMs) : undefined;
    this.#underWay = query;
    try {
      const result = await query;
      if (this.#link.unreplicated) throw new UnreplicatedCommitError();
      if (!isComplete(result)) {
        this.#link.giveUp(false);
        throw new Error('the server ended the statement without saying what became of it');
      }
      return result as Result;
    } catch (error) {
      throw this.#judge(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws ReadOnlyServerError when the server takes no writes, because it is a standby */
  async assertWritable(limitMs: number): Promise<void> {
    const [row] = await this.run(CHECK, [], { prepare: false, limitMs });
    if (row?.['readOnly'] !== true) return;
    this.#retired = true;
    throw new ReadOnlyServerError();
  }

  /** Ends the session in order. Closes at once when a statement is still under way. */
  async close(): Promise<void> {
    this.#retired = true;
    this.#link.expectEnd();
    await this.#sql.end({ timeout: CLOSE_SECONDS });
    this.#link.destroy();
  }

  /** Closes at once. A statement under way fails. */
  destroy(): void {
    this.#retired = true;
    this.#link.expectEnd();
    this.#link.destroy();
  }

  /** Marks the connection so that it is not used again after it is given back. */
  retire(): void {
    this.#retired = true;
  }

  #judge(error: unknown): unknown {
    const cause = this.#link.unreplicated ? new UnreplicatedCommitError(error) : this.#link.reason(error);
    const by = endedBy(cause, this.#link.cancelled);
    if (by && by !== 'idle_in_transaction') this.#options.onStatementEnded(by);
    if (isUnfit(cause)) this.#retired = true;
    return cause;
  }

  /**
   * Ends a statement whose time is over. A server that takes the request to cancel and stays silent on this connection will
   * never answer on it. As long as no server takes the request, another connection would not help. The answer may still
   * arrive and show the outcome of the statement.
   */
  async #end(): Promise<void> {
    // The cancellation may reach the server late. It must not hit the next statement.
    this.#retired = true;
    this.#link.cancelled = true;
    let answered = false;
    let taken = false;
    const answer = this.#underWay.then(
      () => {
        answered = true;
      },
      () => {
        answered = true;
      },
    );
    const giveUpAt = performance.now() + GIVE_UP_MS;
    // A pooler keeps the request until it can pass it on. Some versions crash when the client withdraws it.
    const patienceMs = this.pooled ? GIVE_UP_MS : CANCEL_PATIENCE_MS;
    while (!answered && performance.now() < giveUpAt) {
      const begun = performance.now();
      if (await cancelStatement(this.#backend, CANCEL_PATIENCE_MS, patienceMs)) {
        taken = true;
        await within(CANCELLED_MS, answer);
        break;
      }
      await within(CANCEL_PATIENCE_MS - (performance.now() - begun), answer);
    }
    // A reachable but full pooler drops the request. That says nothing about its other connections.
    if (!answered) this.#link.giveUp(!(taken && this.pooled));
  }
}

/** Every completed statement has a command tag. Some poolers answer a cancelled statement with nothing at all. */
const isComplete = (result: Result): boolean => {
  const [first] = result as readonly { readonly command?: unknown }[];
  return Boolean(result.command) || (Array.isArray(first) && Boolean((first as Result).command));
};

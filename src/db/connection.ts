import type postgres from 'postgres';
import type { StatementEnd } from '../label-values.ts';
import { within } from '../within.ts';
import { type Backend, cancelStatement } from './cancel.ts';
import { endedBy, isUnfit, ReadOnlyServerError, UnreplicatedCommitError } from './errors.ts';
import type { SessionLimits } from './limits.ts';
import type { Link } from './link.ts';

/** Asks who answers, and whether it takes writes. */
export const CHECK = `select pg_backend_pid() as pid, current_setting('transaction_read_only') = 'on' as "readOnly"`;

/** How often a server that answers nothing is asked to cancel, and for how long in all. */
const CANCEL_PATIENCE_MS = 1_000;
const GIVE_UP_MS = 15_000;
/** What a statement that was cancelled may still take to say so. */
const CANCELLED_MS = 500;
/** For the words of parting. */
const CLOSE_SECONDS = 1;

export interface ConnectionOptions {
  readonly limits: SessionLimits;
  /** A statement was ended for the time that it took. */
  readonly onStatementEnded: (by: StatementEnd) => void;
}

export type Rows = readonly Record<string, unknown>[];

/** The tag of a statement that was done, and its rows; of several statements, one array for each. */
export type Result = Rows & { readonly command?: string };

export interface StatementOptions {
  /** Keep the statement prepared on the server; not behind a pooler, where the next one may come to another server. */
  readonly prepare: boolean;
  /** How long an answer is waited for before the statement is cancelled; 0: for ever. */
  readonly limitMs: number;
}

/**
 * One connection: a client of the driver that never makes a second one. Its socket is ours, so that its end is seen in
 * every mode of TLS. It is thrown away at the first sign that it is unfit; then nothing else suffers with it.
 */
export class Connection {
  /** A pooler stands between here and the server: sessions are shared, so nothing may be set or prepared on them. */
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

  /** What begins a transaction; behind a pooler the limits of the session come with it. */
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

  /** @throws ReadOnlyServerError when the server takes no writes: it is a standby now, or was never anything else */
  async assertWritable(limitMs: number): Promise<void> {
    const [row] = await this.run(CHECK, [], { prepare: false, limitMs });
    if (row?.['readOnly'] !== true) return;
    this.#retired = true;
    throw new ReadOnlyServerError();
  }

  /** Says goodbye and closes, at once when something is still under way. */
  async close(): Promise<void> {
    this.#retired = true;
    this.#link.expectEnd();
    await this.#sql.end({ timeout: CLOSE_SECONDS });
    this.#link.destroy();
  }

  /** Closes at once; what is under way fails. */
  destroy(): void {
    this.#retired = true;
    this.#link.expectEnd();
    this.#link.destroy();
  }

  /** Not to be used again once it is given back. */
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
   * A statement is past its time. A server that takes the request to cancel and then says nothing on this connection will
   * never say anything on it. While nobody takes the request, another connection would be no better, and the answer may
   * yet come and tell what became of the statement.
   */
  async #end(): Promise<void> {
    // The cancellation may reach the server late: it must not meet the next statement.
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
    // A pooler keeps the request until it can pass it on, and some versions end when it is taken back.
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
    // A pooler that is there and full drops the request: that says nothing of its other connections.
    if (!answered) this.#link.giveUp(!(taken && this.pooled));
  }
}

/** Every statement that was done has a tag. Some poolers answer a cancelled one with nothing at all. */
const isComplete = (result: Result): boolean => {
  const [first] = result as readonly { readonly command?: unknown }[];
  return Boolean(result.command) || (Array.isArray(first) && Boolean((first as Result).command));
};

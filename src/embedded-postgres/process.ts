import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { within } from '../within.ts';
import { cannotBecome, EmbeddedDatabaseError, errorCode } from './error.ts';

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * The parent of postgres. Descriptor 3 is the lock of the database, which postgres inherits: it is held for as long as
 * any process of that postgres lives. Descriptor 4 is a pipe whose other end only the service has: its end, by
 * whatever kind of death of the service, is the order to shut down: fast, at once after 5 s, and killed if it hangs for 10 s.
 * The parent must be the shell rather than the service, so that at no moment a postgres runs unwatched.
 */
const SUPERVISOR = `
exec 5>&2 2>/dev/null
"$@" </dev/null 2>&5 4<&- 5>&- &
database=$!
watch() {
  read -r end_of_service <&4
  trap '' TERM
  left=500
  while kill -0 "$database"; do
    case $left in
      500) kill -INT "$database" ;;
      250) kill -QUIT "$database" ;;
      0) kill -KILL "$database"; break ;;
    esac
    sleep 0.02 4<&-
    left=$((left - 1))
  done
}
watch 3<&- 5>&- >/dev/null &
watcher=$!
exec 4<&- 5>&-
wait "$database"
code=$?
kill -TERM "$watcher"
wait "$watcher"
exit "$code"
`;

/** After the supervisor its postgres may need the whole of an ordered shutdown, when the supervisor was killed alone. */
const GRACE_MS = 12_000;

export interface SupervisedOptions {
  readonly command: readonly string[];
  /** Becomes the working directory before the uid changes, so it may lie below a directory that the uid cannot enter. */
  readonly cwd: string;
  /** The uid and gid to run as; null: our own. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  readonly lock: number;
  readonly onLog: (line: string) => void;
}

/** A program that does not outlive this process, however this process ends. */
export class SupervisedProcess {
  /** Resolves when the program and its children are gone, asked or not. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #lifeline: Socket;
  readonly #handles: Socket[];

  private constructor(child: ChildProcess, onLog: (line: string) => void) {
    this.#child = child;
    const [, , errors, , lifeline] = child.stdio;
    if (!(errors instanceof Socket && lifeline instanceof Socket))
      throw new TypeError('a spawned process has the pipes it was given');
    this.#lifeline = lifeline;
    this.#handles = [errors, lifeline];
    // When the reader of the lifeline is lost, `exit` reports it.
    lifeline.on('error', () => undefined);
    createInterface({ input: errors }).on('line', onLog);
    this.exited = this.#ended();
  }

  /**
   * Starts the program in a separate session, so that a Ctrl-C in the terminal reaches only the service.
   * @throws {EmbeddedDatabaseError} when the shell cannot be started or the uid not be changed.
   */
  static async start(options: SupervisedOptions): Promise<SupervisedProcess> {
    const { cwd, user, lock, command } = options;
    const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'grantex-postgres', ...command], {
      cwd,
      ...user,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', lock, 'pipe'],
      // Nothing of the service's environment: it holds secrets that postgres has no use for.
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(cannotStart(cause, user?.uid)));
    });
    return new SupervisedProcess(child, options.onLog);
  }

  /** Requests a fast shutdown. `exited` settles when it is done. */
  end(): void {
    this.ref();
    this.#lifeline.end();
  }

  /** Keeps this process alive until the program has ended. */
  ref(): void {
    this.#child.ref();
    for (const handle of this.#handles) handle.ref();
  }

  /** Allows this process to exit while the program runs. The program then ends too. */
  unref(): void {
    this.#child.unref();
    for (const handle of this.#handles) handle.unref();
  }

  async #ended(): Promise<Exit> {
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    const exit = await new Promise<Exit>((resolve) =>
      this.#child.once('exit', (code, signal) => resolve(asExit(code, signal))),
    );
    // If only the supervisor died, its watcher still lives and takes this as the order to end postgres.
    this.#lifeline.end();
    await within(GRACE_MS, closed);
    return exit;
  }
}

/** A shell reports the death of its child by a signal as 128 + the signal's number. */
function asExit(code: number | null, signal: string | null): Exit {
  if (code === null || code <= 128) return { code, signal };
  const name = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return name ? { code: null, signal: name } : { code, signal };
}

function cannotStart(cause: Error, uid: number | undefined): EmbeddedDatabaseError {
  if (errorCode(cause) === 'EPERM' && uid !== undefined) return cannotBecome(uid, cause);
  return new EmbeddedDatabaseError(`/bin/sh cannot be started (${cause.message})`, { cause });
}

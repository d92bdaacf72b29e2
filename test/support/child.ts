import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SERVICE_BUILD } from './service-build-variable.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The same as in `npm start`, whatever the working directory. */
export const COMPILE_CACHE = `${ROOT}node_modules/.cache/node`;
/** Of Node, as in `npm start`. */
export const NODE_FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=100'];

/** The build of `service-build.ts` where a run of tests has made one, otherwise the sources. */
function program(): string[] {
  const build = process.env[SERVICE_BUILD];
  return build
    ? ['--import', `${build}/register.js`, `${build}/main.js`]
    : ['--import', './instrumentation/register.ts', 'src/main.ts'];
}

export type LogLine = Record<string, unknown> & { readonly msg: string; readonly level: string };

const started = new Set<ChildProcess>();

/** Ends what a failed test has not stopped. */
export function endServices(): void {
  for (const child of started) child.kill('SIGKILL');
}

/**
 * Starts the service's process. Its environment has only these variables and a PATH.
 * @param within wraps the command, to run the service in another environment
 */
export function spawnService(
  env: Record<string, string>,
  stdio: 'pipe' | 'inherit' = 'pipe',
  within: (command: readonly string[]) => readonly string[] = (command) => command,
): ChildProcess {
  const [command = '', ...args] = within([process.execPath, ...NODE_FLAGS, ...program()]);
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', stdio],
  });
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

/** Collects the output of the process from now on. Every line of standard output must be JSON. */
export function collect(child: ChildProcess): { logs: LogLine[]; stdout: string[] } {
  const logs: LogLine[] = [];
  const stdout: string[] = [];
  child.stderr?.resume();
  if (child.stdout)
    createInterface({ input: child.stdout }).on('line', (line) => {
      stdout.push(line);
      logs.push(JSON.parse(line));
    });
  return { logs, stdout };
}

/**
 * The time limit for conditions that always come true unless something is broken. It only keeps a broken test from
 * hanging, so it is generous for busy machines. A test that promises a time must measure it.
 */
export const PATIENCE_MS = 30_000;

/**
 * Polls until `find` returns a value. Use it to wait for a condition instead of sleeping. It asks less often the longer it has
 * waited, so that tests which wait for seconds leave the cores to others: it is late by a tenth of the wait, 100 ms at most.
 */
export async function waitFor<T>(
  find: () => T | undefined | Promise<T | undefined>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    const waited = performance.now() - begun;
    if (waited > timeoutMs) throw new Error('the condition did not come about in time');
    await new Promise((resolve) => setTimeout(resolve, Math.min(100, Math.max(10, waited / 10))));
  }
}

/**
 * Repeats a request that prepares a test while its answer is 503: nothing was done then, and the caller may try again. On a
 * busy machine a request may need more time than it has.
 */
export const untilAvailable = <A extends { readonly status: number }>(ask: () => Promise<A>): Promise<A> =>
  waitFor(async () => {
    const answer = await ask();
    return answer.status === 503 ? undefined : answer;
  });

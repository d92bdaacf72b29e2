import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** As in `npm start`. */
const COMPILE_CACHE = 'node_modules/.cache/node';
const START = [
  '--max-semi-space-size=8',
  '--heap-growing-percent=100',
  '--import',
  './instrumentation/register.ts',
  'src/main.ts',
];

export type LogLine = Record<string, unknown> & { readonly msg: string; readonly level: string };

/**
 * The service's process with exactly this environment on top of an empty one.
 * @param within makes of its command one that becomes it, in other surroundings
 */
export function spawnService(
  env: Record<string, string>,
  stdio: 'pipe' | 'inherit' = 'pipe',
  within: (command: readonly string[]) => readonly string[] = (command) => command,
): ChildProcess {
  const [command = '', ...args] = within([process.execPath, ...START]);
  return spawn(command, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', stdio],
  });
}

/** What the process writes, from now on; every line of standard output must be JSON. */
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
 * A limit for what comes about for sure unless something is broken. It only keeps a broken test from hanging, so it is
 * generous: a busy machine is no fault. A test that promises a time measures it.
 */
export const PATIENCE_MS = 30_000;

/** Looks again until there is something; for conditions, instead of sleeping. */
export async function waitFor<T>(
  look: () => T | undefined | Promise<T | undefined>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error('the condition did not come about in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

import { readdirSync, readlinkSync } from 'node:fs';
import { waitFor } from '../support/child.ts';

/** Every living process that works in `directory` or below it: PostgreSQL does so in its data, whoever started it. */
export function processesIn(directory: string): number[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.flatMap((pid) => {
    try {
      const path = readlinkSync(`/proc/${pid}/cwd`);
      return path === directory || path.startsWith(`${directory}/`) ? [Number(pid)] : [];
    } catch {
      // It has ended meanwhile, or is somebody else's.
      return [];
    }
  });
}

/** Sends `signal` to each process in `directory`. */
export function signalIn(directory: string, signal: NodeJS.Signals): void {
  for (const pid of processesIn(directory))
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It has ended meanwhile.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
}

/** SIGKILL to all of them, also to those that are born meanwhile. */
export async function killIn(directory: string): Promise<void> {
  await waitFor(() => {
    signalIn(directory, 'SIGKILL');
    return processesIn(directory).length === 0 || undefined;
  }, 10_000);
}

import { readdirSync, readFileSync } from 'node:fs';

/** In /proc, Linux counts CPU time in hundredths of a second, independent of the kernel's own tick. */
const MICROSECONDS_PER_TICK = 10_000;

interface ProcessStat {
  readonly parent: number;
  readonly own: number;
  /** The time of children that have ended and were waited for. */
  readonly ended: number;
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = (index: number) => Number(fields[index]) * MICROSECONDS_PER_TICK;
    return { parent: Number(fields[1]), own: ticks(11) + ticks(12), ended: ticks(13) + ticks(14) };
  } catch {
    return undefined;
  }
}

/** The CPU time of a process, user and system, in microseconds. */
export const cpuOf = (pid: number): number => readStat(pid)?.own ?? 0;

/** The CPU time of a process and its children, running and ended, in microseconds. */
export function cpuOfFamily(pid: number): number {
  const head = readStat(pid);
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => readStat(Number(entry)))
    .filter((stat) => stat?.parent === pid);
  return (head?.own ?? 0) + (head?.ended ?? 0) + children.reduce((sum, stat) => sum + (stat?.own ?? 0), 0);
}

/** The resident memory of a process in MiB. */
export function memoryOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** The CPU time of the machine since its start, and the part of it that the hypervisor took away. */
export function machineTime(): { total: number; stolen: number } {
  const ticks = (readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .map(Number);
  return { total: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 };
}

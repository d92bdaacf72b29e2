import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time for /proc in hundredths of a second, whatever the kernel's own tick. */
const MICROSECONDS_PER_TICK = 10_000;

interface ProcessStat {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended and were waited for. */
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

/** CPU time, user and system, that a process has used: microseconds. */
export const cpuOf = (pid: number): number => readStat(pid)?.own ?? 0;

/** CPU time of a process and its children, living and ended: microseconds. */
export function cpuOfFamily(pid: number): number {
  const head = readStat(pid);
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => readStat(Number(entry)))
    .filter((stat) => stat?.parent === pid);
  return (head?.own ?? 0) + (head?.ended ?? 0) + children.reduce((sum, stat) => sum + (stat?.own ?? 0), 0);
}

/** Resident memory of a process: MiB. */
export function memoryOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** What the machine did since it was started, for the share that the hypervisor took away. */
export function machineTime(): { total: number; stolen: number } {
  const ticks = (readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .map(Number);
  return { total: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 };
}

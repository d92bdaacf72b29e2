import { readFileSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Meter } from '@opentelemetry/api';
import { PROCESS_FAMILIES } from '../src/telemetry/families/process.ts';

/**
 * Reports this process at every collection of `meter`, under the names that every Prometheus dashboard knows. What only Linux
 * tells, descriptors and their limit, is absent elsewhere.
 */
export function observeProcess(meter: Meter): void {
  const { cpu, residentMemory, openDescriptors, mostDescriptors, startTime } = PROCESS_FAMILIES;
  meter.createObservableCounter(cpu.instrument, { unit: cpu.unit }).addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe((user + system) / 1e6);
  });
  const gauge = ({ instrument, unit }: { instrument: string; unit: string }) =>
    meter.createObservableGauge(instrument, { unit });
  gauge(residentMemory).addCallback((result) => result.observe(process.memoryUsage.rss()));
  gauge(startTime).addCallback((result) => result.observe(performance.timeOrigin / 1000));
  gauge(openDescriptors).addCallback(async (result) => {
    const open = await countDescriptors();
    if (open !== undefined) result.observe(open);
  });
  const limit = readLimit();
  gauge(mostDescriptors).addCallback((result) => {
    if (limit !== undefined) result.observe(limit);
  });
}

const DESCRIPTORS = '/proc/self/fd';

/**
 * Since Linux 6.2 the size of the directory is their number. It is read at once: no disk is asked, and the thread pool would take
 * a tenth of a scrape. Before, they have to be listed, with the one of the listing.
 */
async function countDescriptors(): Promise<number | undefined> {
  try {
    const { size } = statSync(DESCRIPTORS);
    return size > 0 ? size : (await readdir(DESCRIPTORS)).length - 1;
  } catch {
    // No Linux, or no /proc.
    return undefined;
  }
}

/** The soft limit, once: a running process does not change it. */
function readLimit(): number | undefined {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    // As above.
    return undefined;
  }
}

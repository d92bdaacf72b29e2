import { printTable } from '../load/table.ts';
import type { SimulatedDay } from './simulation.ts';

const MB = 1024 * 1024;
const megabytes = (bytes: number): string => (bytes / MB).toFixed(2);

/** Prints how the tables and their indexes have grown, and what the days cost. */
export function printDays(title: string, days: readonly SimulatedDay[], every: number): void {
  const shown = days.filter(({ day }) => day % every === 0 || day === days.length);
  const names = [...(days[0]?.sizes.keys() ?? [])];
  printTable(
    `${title}: MB after each vacuum, by day`,
    names.map((name) => ({
      name,
      ...Object.fromEntries(shown.map(({ day, sizes }) => [`day ${day}`, megabytes(sizes.get(name) ?? 0)])),
    })),
  );
  printTable(
    `${title}: milliseconds for a hundred calls at once, and of removals`,
    shown.map(({ day, removed, exchangeMs, refreshMs, slowestRemovalMs }) => ({
      day,
      'rows removed': removed,
      'exchange ms': exchangeMs.toFixed(1),
      'refresh ms': refreshMs.toFixed(1),
      'slowest removal ms': slowestRemovalMs.toFixed(1),
    })),
  );
}

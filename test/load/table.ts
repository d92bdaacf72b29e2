import { textTable } from '../../src/text-table.ts';

export type Row = Record<string, string | number>;

/** Rounds to three significant digits, because more would be noise. */
export const round = (value: number): number => Number(value.toPrecision(3));

export function medianOf<T>(values: readonly T[], read: (value: T) => number): number {
  const sorted = values.map(read).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** Prints rows as a table under a title. Prints nothing when there are none. */
export function printTable(title: string, rows: readonly Row[]): void {
  if (rows.length > 0) process.stdout.write(`\n${title}\n\n${textTable(rows)}`);
}

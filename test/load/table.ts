export type Row = Record<string, string | number>;

/** Three significant digits at most: more would be noise. */
export const round = (value: number): number => Number(value.toPrecision(3));

export function medianOf<T>(values: readonly T[], read: (value: T) => number): number {
  const sorted = values.map(read).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** Prints rows under the names of their members as a Markdown table; nothing when there are none. */
export function printTable(title: string, rows: readonly Row[]): void {
  if (rows.length === 0) return;
  const names = Object.keys(rows[0] ?? {});
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? '')))];
  const width = names.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const line = (values: readonly string[]) =>
    `| ${values.map((value, column) => value.padEnd(width[column] ?? 0)).join(' | ')} |`;
  const rule = `|${width.map((dashes) => '-'.repeat(dashes + 2)).join('|')}|`;
  const [head = [], ...body] = cells;
  process.stdout.write(`\n${title}\n\n${[line(head), rule, ...body.map(line)].join('\n')}\n`);
}

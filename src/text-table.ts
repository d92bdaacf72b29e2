export type TableRow = Readonly<Record<string, string | number>>;

/** Rows under the names of their members as a Markdown table, with a final line break; empty when there are none. */
export function textTable(rows: readonly TableRow[]): string {
  const names = Object.keys(rows[0] ?? {});
  if (names.length === 0) return '';
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? '')))];
  const width = names.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const line = (values: readonly string[]) =>
    `| ${values.map((value, column) => value.padEnd(width[column] ?? 0)).join(' | ')} |\n`;
  const rule = `|${width.map((dashes) => '-'.repeat(dashes + 2)).join('|')}|\n`;
  const [head = [], ...body] = cells;
  return line(head) + rule + body.map(line).join('');
}

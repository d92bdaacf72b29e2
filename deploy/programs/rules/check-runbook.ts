import { checkQuery } from './check-query.ts';
import type { KnownSeries } from './known-series.ts';

/** In this order, because a person who is woken at night needs the first ones first. */
const SECTIONS = ['What users feel', 'Confirm', 'Usual causes', 'Mend', 'Over when'];

/** The code blocks of one language, without their fences. */
export const codeBlocks = (markdown: string, language: string): string[] =>
  Array.from(
    markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')),
    ([, code = '']) => code.trim(),
  );

/** The queries of a runbook. Each has a block of its own, so that a person can copy the whole block. */
export const queriesOf = (markdown: string): string[] => codeBlocks(markdown, 'promql');

/** The jq programs in a runbook's commands. */
export const logFiltersOf = (markdown: string): string[] =>
  codeBlocks(markdown, 'bash').flatMap((code) =>
    Array.from(code.matchAll(/\bjq -\w*R\w* '([^']*)'/g), ([, program = '']) => program),
  );

/**
 * The problems of a runbook: missing or misplaced sections, no query to copy, wrong queries, and filters for log lines
 * that are not in `logNames`.
 */
export function checkRunbook(
  markdown: string,
  { alert, known, logNames }: { alert: string; known: KnownSeries; logNames: ReadonlySet<string> },
): string[] {
  const problems: string[] = [];
  if (!markdown.startsWith(`# ${alert}\n`)) problems.push(`does not begin with "# ${alert}"`);
  const sections = Array.from(markdown.matchAll(/^## (.+)$/gm), ([, title = '']) => title);
  if (sections.join() !== SECTIONS.join()) problems.push(`its sections are not: ${SECTIONS.join(', ')}`);
  const queries = queriesOf(markdown);
  if (queries.length === 0) problems.push('has no query');
  for (const query of queries)
    problems.push(...checkQuery(query, known).map((problem) => `${problem}, in: ${query}`));
  const named = logFiltersOf(markdown).flatMap((filter) =>
    Array.from(filter.matchAll(/\.msg == "([^"]*)"/g), ([, name = '']) => name),
  );
  for (const name of named) if (!logNames.has(name)) problems.push(`there is no log line "${name}"`);
  return problems;
}

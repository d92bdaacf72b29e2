import { checkQuery } from './check-query.ts';
import type { KnownSeries } from './known-series.ts';

/** In this order: what somebody needs first, woken in the night, comes first. */
const SECTIONS = ['What users feel', 'Confirm', 'Usual causes', 'Mend', 'Over when'];

/** Code blocks of one language, fences left out. */
export const codeBlocks = (markdown: string, language: string): string[] =>
  Array.from(
    markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')),
    ([, code = '']) => code.trim(),
  );

/** The queries of a runbook: one a block, so that a block pastes whole. */
export const queriesOf = (markdown: string): string[] => codeBlocks(markdown, 'promql');

/** The programs of jq in a runbook's commands. */
export const logFiltersOf = (markdown: string): string[] =>
  codeBlocks(markdown, 'bash').flatMap((code) =>
    Array.from(code.matchAll(/\bjq (?:-\w+ )*'([^']*)'/g), ([, program = '']) => program),
  );

/**
 * What is wrong with a runbook: sections that are missing or out of order, nothing to paste, queries that are wrong, filters
 * for log lines that `logNames` does not have.
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

import { type TableRow, textTable } from '../text-table.ts';
import type { Finding } from './judge.ts';
import type { Process } from './observation.ts';
import type { Reconciliation } from './reconcile.ts';

/** For people: every comparison as a table, what is known of processes that have ended, and the verdict in one line. */
export function describeReconciliation(result: Reconciliation): string {
  const { findings, ended, living } = result;
  const missing = findings.some(({ verdict }) => verdict === 'explained');
  return [
    textTable(findings.map(rowOf)),
    `\n${living.length} living ${living.length === 1 ? 'process' : 'processes'}, ${ended.length} without a last count\n`,
    ...ended.map((process) => `${describeEnding(process)}\n`),
    ...(missing ? ['Rows of those times, in brackets, are the most that can be missing.\n'] : []),
    `${verdictOf(result)}\n`,
  ].join('');
}

/** How many of a line are missing among the counts. */
const missingOf = ({ counted, most }: Finding): number => most - (counted ?? most);

const rowOf = (finding: Finding): TableRow => {
  const { what, counted, least, most, uncounted, verdict } = finding;
  return {
    'what is compared': what,
    counted: counted ?? 'not reported',
    rows: least === most ? most : `${least} to ${most}`,
    verdict: verdict === 'explained' ? `${missingOf(finding)} not counted (at most ${uncounted})` : verdict,
  };
};

/** One sentence; the words are no stronger than what was found. */
function verdictOf({ findings, ended }: Pick<Reconciliation, 'findings' | 'ended'>): string {
  const of = (verdict: Finding['verdict']) => findings.filter((finding) => finding.verdict === verdict);
  const wrong = of('differs');
  if (wrong.length > 0) return `differs: ${wrong.map(({ what }) => what).join('; ')}`;
  const unknown = of('unknown').map(({ what }) => what);
  const gauges =
    unknown.length === 0 ? '' : `; not compared, because no process is left: ${unknown.join('; ')}`;
  const missing = of('explained').reduce((sum, finding) => sum + missingOf(finding), 0);
  if (missing === 0) return `equal${gauges}`;
  const names = ended.map(({ id }) => id);
  const whose =
    names.length === 1 ? `scrape of process ${names[0]}` : `scrapes of processes ${names.join(', ')}`;
  return `equal but for at most ${missing} ${missing === 1 ? 'event' : 'events'} after the last ${whose}${gauges}`;
}

const WORDS = {
  replaced: (by: string) => `gone by ${by}, when another process was in its place`,
  gone: (by: string) => `gone by ${by}`,
  silent: () => 'silent since, and perhaps still at work',
} as const;

const describeEnding = ({ id, instance, ended }: Process): string =>
  ended === null
    ? ''
    : `process ${id} at ${instance}: last scraped ${ended.lastScrape.toISOString()}, ${WORDS[ended.state](ended.goneBy.toISOString())}`;

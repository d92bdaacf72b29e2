import { type TableRow, textTable } from '../text-table.ts';
import type { FeedFinding } from './feed-store.ts';
import type { Finding } from './judge.ts';
import type { Process } from './observation.ts';
import type { Reconciliation } from './reconcile.ts';

/** For people: every comparison as a table, what is known of processes that have ended, and the verdict in one line. */
export function describeReconciliation(result: Reconciliation): string {
  const { findings, feed, ended, living } = result;
  const missing = findings.some(({ verdict }) => verdict === 'explained');
  return [
    textTable(findings.map(rowOf)),
    '\n',
    textTable(feed.map(rowOfFeed)),
    `\n${counted(living.length, 'living process', 'living processes')}, ${ended.length} without a last count\n`,
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

const feedDiffers = ({ missing, surplus }: FeedFinding): boolean => missing + surplus > 0;

function rowOfFeed({ what, rows, told, waiting, missing, surplus, rowless }: FeedFinding): TableRow {
  const faults = [
    ...(missing > 0 ? [`${missing} without an entry`] : []),
    ...(surplus > 0 ? [`${surplus} told of in error`] : []),
  ];
  const right = waiting > 0 ? `${waiting} still to be told` : 'equal';
  return {
    'what is compared': what,
    entries: told + surplus,
    rows,
    'entries of removed rows': rowless,
    verdict: faults.length > 0 ? `differs: ${faults.join(', ')}` : right,
  };
}

/** Whether something differs, which neither a process that has ended nor what is under way explains. */
export const differs = ({ findings, feed }: Pick<Reconciliation, 'findings' | 'feed'>): boolean =>
  findings.some(({ verdict }) => verdict === 'differs') || feed.some(feedDiffers);

/** One sentence; the words are no stronger than what was found. */
function verdictOf({ findings, feed, ended }: Reconciliation): string {
  const of = (verdict: Finding['verdict']) => findings.filter((finding) => finding.verdict === verdict);
  const wrong = [...of('differs'), ...feed.filter(feedDiffers)];
  if (wrong.length > 0) return `differs: ${wrong.map(({ what }) => what).join('; ')}`;
  const unknown = of('unknown').map(({ what }) => what);
  const gauges =
    unknown.length === 0 ? '' : `; not compared, because no process is left: ${unknown.join('; ')}`;
  const missing = of('explained').reduce((sum, finding) => sum + missingOf(finding), 0);
  const waiting = feed.reduce((sum, finding) => sum + finding.waiting, 0);
  const but = [
    ...(missing > 0 ? [`at most ${counted(missing, 'event', 'events')} after the last ${whose(ended)}`] : []),
    ...(waiting > 0 ? [`${counted(waiting, 'entry', 'entries')} that the feeds still lack`] : []),
  ];
  return `equal${but.length > 0 ? ` but for ${but.join(', and ')}` : ''}${gauges}`;
}

const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

function whose(ended: readonly Process[]): string {
  const names = ended.map(({ id }) => id);
  return names.length === 1 ? `scrape of process ${names[0]}` : `scrapes of processes ${names.join(', ')}`;
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

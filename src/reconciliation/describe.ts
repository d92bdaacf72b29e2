import { type TableRow, textTable } from '../text-table.ts';
import type { Finding } from './judge.ts';
import type { Process } from './observation.ts';
import type { Reconciliation } from './reconcile.ts';

/** For people: every comparison as a table, and what is known of processes that have ended. */
export function describeReconciliation({ findings, ended, living }: Reconciliation): string {
  const wrong = findings.filter(({ verdict }) => verdict === 'differs').map(({ what }) => what);
  const verdict = wrong.length === 0 ? 'equal' : `differs: ${wrong.join('; ')}`;
  return [
    textTable(findings.map(rowOf)),
    `\n${living.length} processes, ${ended.length} that have ended\n`,
    ...ended.map((process) => `${describeEnding(process)}\n`),
    `${verdict}\n`,
  ].join('');
}

const rowOf = ({ what, counted, least, most, uncounted, verdict }: Finding): TableRow => ({
  'what is compared': what,
  counted: counted ?? 'not reported',
  rows: least === most ? most : `${least} to ${most}`,
  verdict: verdict === 'explained' ? `explained: up to ${uncounted} after a last scrape` : verdict,
});

const describeEnding = ({ id, instance, ended }: Process): string =>
  `process ${id} at ${instance}: last scraped ${ended?.lastScrape.toISOString()}, gone by ${ended?.goneBy.toISOString()}; what it did after the scrape was not counted`;

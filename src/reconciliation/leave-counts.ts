import type { Deps } from '../deps.ts';
import { type LastCount, leaveCounts, type ProcessKey } from './ended-store.ts';
import { parseSamples, type Sample } from './exposition.ts';
import { COUNTERS, countsOf, labelsText } from './lines.ts';

/** The process that these samples are of; its start is null in those of a release that did not tell it. */
export function processOf(samples: readonly Sample[]): { id: string | undefined; startedAt: number | null } {
  const startedAt = samples.find(({ name }) => name === 'process_start_time_seconds')?.value;
  const id = samples.find(({ name }) => name === 'target_info')?.labels['service_instance_id'];
  return { id, startedAt: startedAt ?? null };
}

/**
 * At an ordered end, leaves in the database what this process has counted, so that `reconcile` finds it there whenever the last
 * scrape was. Nothing may be counted afterwards.
 * @param readMetrics what a scrape would show now
 * @throws when that is not complete, or the database does not take it
 */
export async function leaveLastCounts(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  readMetrics: () => Promise<string>,
): Promise<void> {
  const samples = parseSamples(await readMetrics());
  const { id, startedAt } = processOf(samples);
  if (id === undefined || startedAt === null) throw new Error('the metrics do not name the process');
  const values = countsOf(samples, 'this process');
  const counts = COUNTERS.map(
    (line): LastCount => ({
      family: line.metric,
      labels: labelsText(line),
      total: values[line.what] ?? 0,
    }),
  );
  const key: ProcessKey = { id, startedAt };
  await leaveCounts(db.background, { ...key, endedAt: new Date(clock.now()), counts });
}

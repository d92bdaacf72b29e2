import type { Counting } from './interval.ts';
import { COUNTERS, type CounterLine, GAUGES, type GaugeLine } from './lines.ts';
import type { Counts } from './observation.ts';
import type { Ledger, Totals } from './store.ts';

/** Rows around the moment at which the metrics were read. */
export interface Seen {
  /** What had certainly been counted by then, and what may have been. */
  readonly least: Ledger;
  readonly most: Ledger;
  /** Everything that a gauge of then may have seen. */
  readonly recent: readonly Ledger[];
  /** Whether looks reach back far enough for `least` and `recent` to be that; else a difference may be none. */
  readonly settled: boolean;
}

/** The result of one comparison. */
export interface Finding {
  readonly what: string;
  /** Over all processes; of a gauge, where values differ, one that is wrong. null: it is not reported. */
  readonly counted: number | null;
  readonly least: number;
  readonly most: number;
  /** How many may have gone uncounted with processes that have ended. */
  readonly uncounted: number;
  /** `explained`: counts are missing, and no more than that. `unknown`: no living process reports the gauge. */
  readonly verdict: 'equal' | 'explained' | 'differs' | 'unknown';
}

interface Input extends Pick<Seen, 'least' | 'most' | 'recent'>, Counting {}

/** Compares every line. @param uncounted what processes that have ended may have done after their last scrape */
export const judge = (input: Input, uncounted: Totals): Finding[] => [
  ...COUNTERS.map((line) => judgeCounter(line, input, uncounted)),
  ...GAUGES.map((line) => judgeGauge(line, input)),
];

interface Counted {
  readonly processes: readonly { readonly counts: Counts }[];
  readonly left?: Counts;
}
const sum = ({ what }: CounterLine, { processes, left }: Counted): number =>
  processes.reduce((total, { counts }) => total + (counts[what] ?? 0), left?.[what] ?? 0);

function judgeCounter(line: CounterLine, input: Input, within: Totals): Finding {
  const { since, ...rows } = input;
  const counted = sum(line, input) - (since ? sum(line, since) : 0);
  const least = line.of(rows.least) - (since ? line.of(since.most) : 0);
  const most = line.of(rows.most) - (since ? line.of(since.least) : 0);
  const uncounted = line.of(within);
  const finding = { what: line.what, counted, least, most, uncounted };
  // What is counted is there: no death of a process explains more counts than rows.
  if (counted > most) return { ...finding, verdict: 'differs' };
  if (counted >= least) return { ...finding, verdict: 'equal' };
  return { ...finding, verdict: least - counted <= uncounted ? 'explained' : 'differs' };
}

function judgeGauge({ what, of }: GaugeLine, { processes, recent }: Input): Finding {
  const values = recent.map(of);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const living = processes.filter(({ ended }) => ended === null);
  if (living.length === 0) return { what, counted: null, least, most, uncounted: 0, verdict: 'unknown' };
  const reported = living.map(({ gauges }) => gauges[what]);
  const isRight = (value: number | undefined) => value !== undefined && value >= least && value <= most;
  const wrong = reported.find((value) => !isRight(value));
  const equal = reported.every(isRight);
  const counted = (equal ? reported[0] : wrong) ?? null;
  return { what, counted, least, most, uncounted: 0, verdict: equal ? 'equal' : 'differs' };
}

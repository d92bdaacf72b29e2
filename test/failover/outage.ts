import { isGood, type Shot } from '../faults/traffic.ts';
import type { Row } from '../load/table.ts';

interface Moments {
  /** When the fault began, by `performance.now()`. */
  readonly begun: number;
  /** When the new leader could be reached. */
  readonly back: number;
}

/** What the callers saw of one failover, in numbers. */
export function tableOf(shots: readonly Shot[], { begun, back }: Moments): Row {
  const during = shots.filter(({ reply }) => reply.ended > begun);
  const of = (status: number) => during.filter(({ reply }) => reply.status === status);
  const bad = during.filter((shot) => !isGood(shot));
  return {
    requests: shots.length,
    good: shots.filter(isGood).length,
    500: of(500).length,
    503: of(503).length,
    'seconds of 503': seconds(span(of(503))),
    'longest without success': seconds(longestPause(begun, during.filter(isGood))),
    'new leader after s': seconds(back - begun),
    'recovered after ms': Math.max(
      0,
      Math.round(Math.max(back, ...bad.map(({ reply }) => reply.ended)) - back),
    ),
    'slowest ms': Math.round(Math.max(...shots.map(({ reply }) => reply.ms))),
  };
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10;

/** From the first to the last. */
function span(shots: readonly Shot[]): number {
  if (shots.length === 0) return 0;
  return (
    Math.max(...shots.map(({ reply }) => reply.ended)) - Math.min(...shots.map(({ reply }) => reply.ended))
  );
}

function longestPause(since: number, good: readonly Shot[]): number {
  const ends = good.map(({ reply }) => reply.ended).sort((a, b) => a - b);
  return Math.max(0, ...ends.map((end, index) => end - (ends[index - 1] ?? since)));
}

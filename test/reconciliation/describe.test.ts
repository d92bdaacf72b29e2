import { expect, test } from 'vitest';
import { describeReconciliation } from '../../src/reconciliation/describe.ts';
import type { FeedFinding } from '../../src/reconciliation/feed-store.ts';
import type { Finding } from '../../src/reconciliation/judge.ts';
import type { Ending, Process } from '../../src/reconciliation/observation.ts';

const process = (id: string, state?: Ending['state']): Process => ({
  id,
  startedAt: 1,
  instance: `${id}:3001`,
  counts: {},
  gauges: {},
  ended: state
    ? { lastScrape: new Date('2026-01-01T00:00:00Z'), goneBy: new Date('2026-01-01T00:00:15Z'), state }
    : null,
});
const finding = (
  what: string,
  verdict: Finding['verdict'],
  counted: number | null,
  rows: number,
): Finding => ({
  what,
  counted,
  least: rows,
  most: rows,
  uncounted: 20,
  verdict,
});
const EQUAL = finding('exchanges', 'equal', 7, 7);

const TOLD: FeedFinding = {
  what: 'feed, revoked grants',
  rows: 9,
  told: 9,
  waiting: 0,
  missing: 0,
  surplus: 0,
  rowless: 3,
};
const words = (findings: readonly Finding[], ...processes: readonly Process[]) =>
  describe([TOLD], findings, ...processes);
const describe = (
  feed: readonly FeedFinding[],
  findings: readonly Finding[],
  ...processes: readonly Process[]
) =>
  describeReconciliation({
    feed,
    findings,
    living: processes.filter(({ ended }) => !ended),
    ended: processes.filter(({ ended }) => ended),
  });
/** The last line. */
const verdict = (...of: Parameters<typeof words>) =>
  words(...of)
    .trimEnd()
    .split('\n')
    .at(-1);

test.each<[string, Parameters<typeof words>]>([
  ['equal', [[EQUAL], process('a')]],
  ['equal', [[EQUAL], process('a'), process('b', 'gone')]],
  [
    'equal but for at most 1 event after the last scrape of process b',
    [[EQUAL, finding('revoked', 'explained', 6, 7)], process('a'), process('b', 'gone')],
  ],
  [
    'equal but for at most 5 events after the last scrapes of processes b, c',
    [
      [finding('exchanges', 'explained', 5, 7), finding('revoked', 'explained', 4, 7)],
      process('a'),
      process('b', 'replaced'),
      process('c', 'silent'),
    ],
  ],
  [
    'differs: revoked',
    [
      [finding('exchanges', 'explained', 6, 7), finding('revoked', 'differs', 4, 7)],
      process('a'),
      process('b', 'gone'),
    ],
  ],
  [
    'equal; not compared, because no process is left: active grants',
    [[EQUAL, finding('active grants', 'unknown', null, 3)]],
  ],
])('%s', (expected, of) => {
  expect(verdict(...of)).toBe(expected);
});

test('the table says how many are missing, and how many can be; endings have their own words', () => {
  const text = words(
    [EQUAL, finding('revoked', 'explained', 4, 7)],
    process('a'),
    process('b', 'replaced'),
    process('c', 'gone'),
    process('d', 'silent'),
  );
  expect(text).toMatch(/\| exchanges +\| 7 +\| 7 +\| equal +\|/);
  expect(text).toMatch(/\| revoked +\| 4 +\| 7 +\| 3 not counted \(at most 20\) \|/);
  expect(text).toContain('1 living process, 3 without a last count');
  const seen = 'last scraped 2026-01-01T00:00:00.000Z';
  expect(text).toContain(
    `process b at b:3001: ${seen}, gone by 2026-01-01T00:00:15.000Z, when another process was in its place\n`,
  );
  expect(text).toContain(`process c at c:3001: ${seen}, gone by 2026-01-01T00:00:15.000Z\n`);
  expect(text).toContain(`process d at d:3001: ${seen}, silent since, and perhaps still at work\n`);
});

test.each<[string, string, Partial<FeedFinding>, ...Process[]]>([
  ['equal', '9 +\\| 9 +\\| 3 +\\| equal', {}],
  [
    'equal but for 2 entries that the feeds still lack',
    '7 +\\| 9 +\\| 3 +\\| 2 still to be told',
    { told: 7, waiting: 2 },
  ],
  [
    'equal but for at most 3 events after the last scrape of process b, and 1 entry that the feeds still lack',
    '8 +\\| 9 +\\| 3 +\\| 1 still to be told',
    { told: 8, waiting: 1 },
    process('a'),
    process('b', 'gone'),
  ],
  [
    'differs: feed, revoked grants',
    '8 +\\| 9 +\\| 3 +\\| differs: 2 without an entry, 1 told of in error',
    { told: 7, missing: 2, surplus: 1 },
  ],
])('of the feed: %s', (expected, row, feed, ...processes) => {
  const explained = processes.length > 0 ? finding('revoked', 'explained', 4, 7) : EQUAL;
  const text = describe([{ ...TOLD, ...feed }], [explained], ...processes);
  expect(text).toMatch(new RegExp(`\\| feed, revoked grants +\\| ${row} +\\|`));
  expect(text.trimEnd().split('\n').at(-1)).toBe(expected);
});

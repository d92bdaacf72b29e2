import { expect, test } from 'vitest';
import { runsOf, type Sighting } from '../../src/reconciliation/runs.ts';

const seen = (...sightings: readonly [time: number, id: string, startedAt?: number][]) =>
  new Map(sightings.map(([time, id, startedAt]): [number, Sighting] => [time, { id, startedAt }]));
const runs = (sightings: Map<number, Sighting>, downs: readonly number[], now: number) =>
  runsOf('here', sightings, downs, { now, endingSeconds: 10 }).map(({ id, last, ended }) => [
    id,
    last,
    ended && [ended.state, ended.goneBy],
  ]);

test('a process that is scraped lives', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 5]), [], 30)).toEqual([['a', 25, null]]);
});

test('another id is another process: the first was gone when the second was seen', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 5], [40, 'b', 30]), [], 41)).toEqual([
    ['a', 25, ['replaced', 40]],
    ['b', 40, null],
  ]);
});

test('the same id and another start is another process; a start that was not told is none', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 22]), [], 26)).toEqual([
    ['a', 10, ['replaced', 25]],
    ['a', 25, null],
  ]);
  expect(runs(seen([10, 'a'], [25, 'a', 5], [40, 'a']), [], 41)).toEqual([['a', 40, null]]);
});

test('a process whose scrape failed is silent, may work on, and counts as gone when nobody heard of it meanwhile', () => {
  const one = seen([10, 'a', 5], [25, 'a', 5]);
  expect(runs(one, [40], 41)).toEqual([['a', 25, ['silent', 41]]]);
  expect(runs(one, [40, 45], 49)).toEqual([['a', 25, ['silent', 49]]]);
  expect(runs(one, [40, 55], 56)).toEqual([['a', 25, ['gone', 50]]]);
});

test('a failed scrape that was followed by a good one says nothing, however long it took', () => {
  expect(runs(seen([10, 'a', 5], [400, 'a', 5]), [25, 40], 401)).toEqual([['a', 400, null]]);
});

test('a process whose place was taken was gone by then, and sooner when its scrapes had failed before', () => {
  expect(runs(seen([10, 'a', 5], [40, 'b', 35]), [12], 41)[0]).toEqual(['a', 10, ['replaced', 22]]);
  expect(runs(seen([10, 'a', 5], [14, 'b', 13]), [12], 41)[0]).toEqual(['a', 10, ['replaced', 14]]);
});

test('a target that nobody scrapes any more is gone after a minute, or after three scrapes', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 5]), [], 84)).toEqual([['a', 25, null]]);
  expect(runs(seen([10, 'a', 5], [25, 'a', 5]), [], 86)).toEqual([['a', 25, ['gone', 85]]]);
  expect(runs(seen([10, 'a', 5], [70, 'a', 5]), [], 240)).toEqual([['a', 70, null]]);
});

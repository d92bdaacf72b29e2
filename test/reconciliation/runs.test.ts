import { expect, test } from 'vitest';
import { runsOf, type Sighting } from '../../src/reconciliation/runs.ts';

const seen = (...sightings: readonly [time: number, id: string, age?: number][]) =>
  new Map(sightings.map(([time, id, age]): [number, Sighting] => [time, { id, age }]));
const runs = (sightings: Map<number, Sighting>, downs: readonly number[], now: number) =>
  runsOf('here', sightings, downs, now).map(({ id, last, goneBy }) => [id, last, goneBy]);

test('a process that is scraped lives', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 20]), [], 30)).toEqual([['a', 25, null]]);
});

test('another id is another process: the first was gone when the second was seen', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 20], [40, 'b', 30]), [], 41)).toEqual([
    ['a', 25, 40],
    ['b', 40, null],
  ]);
});

test('the same id and a younger event loop is another process', () => {
  expect(runs(seen([10, 'a', 50], [25, 'a', 3]), [], 26)).toEqual([
    ['a', 10, 25],
    ['a#2', 25, null],
  ]);
});

test('a failed scrape bounds the end, one that was followed by a good one does not', () => {
  expect(runs(seen([10, 'a', 5], [40, 'a', 35]), [25], 41)).toEqual([['a', 40, null]]);
  expect(runs(seen([10, 'a', 5], [25, 'a', 20]), [40, 55], 56)).toEqual([['a', 25, 40]]);
});

test('a target that nobody scrapes any more is gone after a minute, or after three scrapes', () => {
  expect(runs(seen([10, 'a', 5], [25, 'a', 20]), [], 84)).toEqual([['a', 25, null]]);
  expect(runs(seen([10, 'a', 5], [25, 'a', 20]), [], 86)).toEqual([['a', 25, 85]]);
  expect(runs(seen([10, 'a', 5], [70, 'a', 65]), [], 240)).toEqual([['a', 70, null]]);
});

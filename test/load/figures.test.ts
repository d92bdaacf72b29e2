import { expect, test } from 'vitest';
import { ratios, type Turn } from './figures.ts';
import type { Measured } from './measure.ts';
import { topFunctions } from './profile.ts';

const taking = (serviceCpu: number): Measured => ({
  serviceCpu,
  perSecond: 1,
  p50: 1,
  p99: 1,
  databaseCpu: 1,
  statements: null,
});

test('a ratio is the median of the ratios of each turn, not the ratio of medians', () => {
  const turns: Turn[] = [
    { full: taking(200), tenth: taking(150), off: taking(100), floor: taking(100) },
    { full: taking(330), tenth: taking(240), off: taking(150), floor: taking(110) },
    { full: taking(160), tenth: taking(110), off: taking(100), floor: taking(80) },
  ];
  expect(ratios(turns, { full: 1.8, off: 1.25 })).toEqual({
    'floor µs': 100,
    'full ÷ floor': 2,
    'at most': 1.8,
    'tenth ÷ floor': 1.5,
    'off ÷ floor': 1.25,
    'off, at most': 1.25,
    'full ÷ off': 2,
    'tenth ÷ off': 1.5,
  });
});

test('a ratio to what was not measured is empty', () => {
  expect(ratios([{ full: taking(200), off: taking(100) }], undefined)).toMatchObject({
    'floor µs': '',
    'full ÷ floor': '',
    'at most': '',
    'tenth ÷ off': '',
    'full ÷ off': 2,
  });
});

test('the top functions have the self time of all of their callers, as a share of the time that is no waiting', () => {
  const node = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, scriptId: '1', url, lineNumber: 9, columnNumber: 0 },
  });
  const nodes = [
    node(1, '(root)', ''),
    node(2, '(idle)', ''),
    node(3, 'send', 'file:///home/a/src/http/reply.ts'),
    node(4, 'hash', 'file:///home/a/node_modules/pkg/build/hash.js'),
    node(5, 'send', 'file:///home/a/src/http/reply.ts'),
    node(6, '(garbage collector)', ''),
  ];
  const rows = topFunctions({ nodes, samples: [2, 3, 4, 5, 6], timeDeltas: [500, 20, 30, 40, 10] });
  expect(rows).toEqual([
    { 'self %': 60, function: 'send', where: 'src/http/reply.ts:10' },
    { 'self %': 30, function: 'hash', where: 'pkg/build/hash.js:10' },
    { 'self %': 10, function: '(garbage collector)', where: '' },
  ]);
});

import { describe, expect, expectTypeOf, test } from 'vitest';
import { OWN_ATTRIBUTES } from '../../instrumentation/attributes.ts';
import {
  type AttributesOf,
  exposedLabels,
  type Family,
  oneOf,
  seedsOf,
} from '../../src/telemetry/families/family.ts';
import { FAMILIES, type SERVICE_FAMILIES } from '../../src/telemetry/families.ts';
import type { Instruments } from '../../src/telemetry/instruments.ts';

type Families = typeof SERVICE_FAMILIES;

/** `npm run check:types` proves these. */
describe('what may be recorded follows from the catalogue', () => {
  test('names and values of labels', () => {
    type Authorization = { readonly status: 'success' | 'denied' | 'error'; readonly agent_id?: string };
    expectTypeOf<AttributesOf<Families['authorizations']>>().toExtend<Authorization>();
    expectTypeOf<Authorization>().toExtend<AttributesOf<Families['authorizations']>>();
    expectTypeOf<{ status: 'denied' }>().not.toExtend<AttributesOf<Families['tokenExchanges']>>();
    expectTypeOf<{ type: 'rate_spike' }>().not.toExtend<AttributesOf<Families['anomaliesDetected']>>();
  });
  test('a label that must be there cannot be left out, nor an unknown one added', () => {
    type Arguments<Key extends 'tokenVerifications' | 'collectionErrors'> = Parameters<
      Instruments[Key]['add']
    >;
    expectTypeOf<[1]>().not.toExtend<Arguments<'tokenVerifications'>>();
    expectTypeOf<[1, { result: 'valid' }]>().toExtend<Arguments<'tokenVerifications'>>();
    expectTypeOf<[1]>().toExtend<Arguments<'collectionErrors'>>();
    expectTypeOf<keyof AttributesOf<Families['tokenVerifications']>>().toEqualTypeOf<'result'>();
  });
  test('an optional label may be left out', () => {
    type Duration = AttributesOf<Families['databaseDuration']>;
    expectTypeOf<{ 'db.system.name': string; 'db.operation.name': string }>().toExtend<Duration>();
    expectTypeOf<{ 'db.system.name': string }>().not.toExtend<Duration>();
  });
});

const FAMILY: Family = {
  name: 'a_total',
  instrument: 'a',
  kind: 'counter',
  unit: '{a}',
  help: 'A.',
  labels: { 'x.y': { ...oneOf('X.', ['1', '2']), as: 'x' }, z: oneOf('Z.', ['3', '4']) },
};

test('a counter begins with every combination of its closed labels, with its own seeds, or with nothing', () => {
  expect(seedsOf(FAMILY)).toEqual([
    { 'x.y': '1', z: '3' },
    { 'x.y': '1', z: '4' },
    { 'x.y': '2', z: '3' },
    { 'x.y': '2', z: '4' },
  ]);
  expect(seedsOf({ ...FAMILY, seeds: [{ z: '3' }] })).toEqual([{ z: '3' }]);
  expect(seedsOf({ ...FAMILY, labels: { ...FAMILY.labels, open: { text: 'Open.' } } })).toEqual([]);
  expect(seedsOf({ ...FAMILY, labels: {} })).toEqual([{}]);
});

test('labels are exposed under the name that the catalogue gives them', () => {
  expect(exposedLabels(FAMILY).map(({ name, from }) => [name, from])).toEqual([
    ['x', 'x.y'],
    ['z', 'z'],
  ]);
});

test('no two families have one name, and no two entries one instrument', () => {
  const names = FAMILIES.flatMap(({ name, perAgent }) => [name, ...(perAgent ? [perAgent.name] : [])]);
  const instruments = FAMILIES.map(({ instrument }) => instrument);
  for (const all of [names, instruments]) expect([...new Set(all)]).toEqual(all);
});

test('the attribute registry has each label of our own once, with what it says in every family', () => {
  const metric = OWN_ATTRIBUTES.filter(({ on }) => on === 'metric').map(({ name, brief }) => [name, brief]);
  expect(new Set(metric.map(([name]) => name)).size).toBe(metric.length);
  expect(metric).toEqual(
    expect.arrayContaining([
      ['agent_id', 'Agent, or `other` beyond METRICS_AGENT_LIMIT.'],
      ['status', 'How the attempt ended. How the delivery ended.'],
      ['signal', 'What was dropped.'],
    ]),
  );
  expect(metric.map(([name]) => name)).not.toContain('error.type');
});

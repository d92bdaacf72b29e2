import { describe, expect, test } from 'vitest';
import { tallyFailedExchanges } from '../../src/anomalies/watch-store.ts';
import {
  database,
  db,
  entriesAt,
  found,
  HOUR,
  MINUTE,
  NOW,
  requestAt,
  times,
  tokensAt,
  who,
  withTwoAgents,
} from './history.ts';

withTwoAgents();

describe('rate_spike', () => {
  const EARLIER = NOW - 2 * HOUR;
  test.each([
    { recent: 50, earlier: 0, spike: false },
    { recent: 51, earlier: 0, spike: true },
    // 24 hours before with 144 tokens: 6 an hour are usual, 60 are ten times as many.
    { recent: 60, earlier: 144, spike: false },
    { recent: 61, earlier: 144, spike: true },
  ])('$recent in the last hour after $earlier in the day before: $spike', async (row) => {
    await tokensAt(NOW - HOUR + 1, row.recent);
    if (row.earlier > 0) await tokensAt(EARLIER, row.earlier);
    expect(await found('rate_spike')).toEqual(
      row.spike
        ? [
            {
              ...who,
              type: 'rate_spike',
              principalId: null,
              at: new Date(NOW - HOUR + 1),
              metadata: { issued: row.recent, baseline: row.earlier / 24, windowMinutes: 60 },
            },
          ]
        : [],
    );
  });

  test('a token of exactly an hour ago is not of the last hour, nor one of the future', async () => {
    await tokensAt(NOW - HOUR, 51);
    await tokensAt(NOW + 1, 51);
    expect(await found('rate_spike')).toEqual([]);
  });

  test('what is more than a day and the window ago is not usual any more', async () => {
    await tokensAt(NOW, 51);
    await tokensAt(NOW - 25 * HOUR, 1000);
    expect(await found('rate_spike')).toHaveLength(1);
  });

  test('thresholds are settings', async () => {
    await tokensAt(NOW - 5 * MINUTE, 4);
    const config = { anomalyRateOver: 3, anomalyRateWindowMinutes: 6 };
    expect(await found('rate_spike', { config })).toHaveLength(1);
    expect(await found('rate_spike', { config: { ...config, anomalyRateWindowMinutes: 5 } })).toEqual([]);
    expect(await found('rate_spike', { config: { ...config, anomalyRateOver: 4 } })).toEqual([]);
  });
});

describe('high_failure_rate', () => {
  test.each([
    { what: 'four entries, all failed', good: 0, bad: 4, high: false },
    { what: 'five entries, one failed: 20 %', good: 4, bad: 1, high: false },
    { what: 'five entries, two failed', good: 3, bad: 2, high: true },
    { what: '24 entries, five failed: 20.8 %', good: 19, bad: 5, high: true },
  ])('$what: $high', async ({ good, bad, high }) => {
    await entriesAt(NOW - HOUR, times(good, 'success'));
    await entriesAt(NOW - 23 * HOUR, [
      ...times(bad - Math.floor(bad / 2), 'failure'),
      ...times(Math.floor(bad / 2), 'blocked'),
    ]);
    expect(await found('high_failure_rate')).toEqual(
      high
        ? [
            {
              ...who,
              type: 'high_failure_rate',
              principalId: null,
              at: new Date(NOW - 23 * HOUR),
              metadata: { failed: bad, total: good + bad, windowHours: 24 },
            },
          ]
        : [],
    );
  });

  test('exchanges count with the entries, the good and the refused ones', async () => {
    await entriesAt(NOW - HOUR, times(1, 'success'));
    for (let n = 0; n < 3; n++) await requestAt(NOW - 2 * HOUR, ['a'], { exchanged: true });
    await requestAt(NOW - 2 * HOUR, ['a']);
    await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 1, at: new Date(NOW - 3 * HOUR) }]);
    expect(await found('high_failure_rate')).toEqual([]);
    await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 1, at: new Date(NOW - 3 * HOUR + 1000) }]);
    expect(await found('high_failure_rate')).toMatchObject([
      { at: new Date(NOW - 3 * HOUR + 1000), metadata: { failed: 2, total: 6 } },
    ]);
  });

  test('what is a day old does not count', async () => {
    await entriesAt(NOW - 24 * HOUR, times(10, 'failure'));
    await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 9, at: new Date(NOW - 24 * HOUR) }]);
    expect(await found('high_failure_rate')).toEqual([]);
  });
});

describe('off_hours_activity', () => {
  const NIGHT = Date.parse('2026-03-10T02:00:00Z');
  test.each([
    { count: 10, odd: false },
    { count: 11, odd: true },
  ])('$count tokens in one night: $odd', async ({ count, odd }) => {
    await tokensAt(NIGHT, count);
    await tokensAt(NOW - HOUR, 30);
    expect(await found('off_hours_activity')).toEqual(
      odd
        ? [
            {
              ...who,
              type: 'off_hours_activity',
              principalId: null,
              at: new Date(NIGHT),
              metadata: { issued: count, start: '22:00', end: '06:00' },
            },
          ]
        : [],
    );
  });

  test.each([
    ['2026-03-09T21:59:59.999Z', false],
    ['2026-03-09T22:00:00Z', true],
    ['2026-03-10T05:59:59.999Z', true],
    ['2026-03-10T06:00:00Z', false],
    // A night, but more than a day ago.
    ['2026-03-09T02:00:00Z', false],
  ])('at %s: %s', async (at, odd) => {
    await tokensAt(Date.parse(at), 11);
    expect(await found('off_hours_activity')).toHaveLength(odd ? 1 : 0);
  });

  test('hours that do not cross midnight', async () => {
    await tokensAt(NOW - HOUR, 11);
    const config = { anomalyOffHoursStart: '11:00', anomalyOffHoursEnd: '12:00' };
    expect(await found('off_hours_activity', { config })).toHaveLength(1);
    expect(
      await found('off_hours_activity', { config: { ...config, anomalyOffHoursStart: '11:31' } }),
    ).toEqual([]);
  });
});

test('what was acknowledged does not add up to another anomaly with what came later', async () => {
  const acknowledged = NOW - 10 * MINUTE;
  const night = { anomalyOffHoursStart: '00:00', anomalyOffHoursEnd: '00:00' };
  for (const type of ['rate_spike', 'high_failure_rate', 'off_hours_activity'])
    await database.sql`insert into anomalies (id, developer_id, type, severity, agent_id, description, metadata, detected_at,
        seen_at, acknowledged_at)
      values (${`anm_${type}`}, 'dev_1', ${type}, 'high', 'ag_1', '', '{}', now(), now(), ${new Date(acknowledged)})`;
  const all = async () => [
    ...(await found('rate_spike')),
    ...(await found('high_failure_rate')),
    ...(await found('off_hours_activity', { config: night })),
  ];
  await tokensAt(acknowledged, 100);
  await tokensAt(NOW - MINUTE, 10);
  await entriesAt(acknowledged, times(10, 'failure'));
  await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 10, at: new Date(acknowledged) }]);
  await entriesAt(NOW - MINUTE, times(4, 'failure'));
  expect(await all()).toEqual([]);
  await tokensAt(NOW - MINUTE, 41);
  await entriesAt(NOW - MINUTE, times(1, 'failure'));
  expect((await all()).map(({ type, metadata }) => [type, metadata['issued'] ?? metadata['total']])).toEqual([
    ['rate_spike', 51],
    ['high_failure_rate', 5],
    ['off_hours_activity', 51],
  ]);
});

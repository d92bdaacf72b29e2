import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { shortenIntervals, shortenRules } from '../../deploy/programs/stack/shorten-intervals.ts';

const DEPLOY = new URL('../../deploy/', import.meta.url);
const RULES = new URL('prometheus/rules/', DEPLOY);

test.each([
  ['expr: sum(rate(a[5m])) > 300', 'expr: sum(rate(a[20s])) > 300'],
  [
    'expr: sum_over_time(a[45s]) == 0 and count_over_time(a[45s]) >= 3',
    'expr: sum_over_time(a[3s]) == 0 and count_over_time(a[3s]) >= 3',
  ],
  ['expr: increase(a[1h]) / b:c:increase1h', 'expr: increase(a[240s]) / b:c:increase1h'],
  ['        for: 5m', '        for: 20s'],
  ['        keep_firing_for: 5m', '        keep_firing_for: 20s'],
  ['          sloth_window: 5m', '          sloth_window: 5m'],
])('%s becomes %s', (committed, shortened) => {
  expect(shortenRules(committed)).toBe(shortened);
});

test('only windows and `for` of the rules are shortened: every threshold stays', async () => {
  const files = (await readdir(RULES)).filter((name) => name.endsWith('.yml'));
  const durations = (text: string) =>
    text.replace(/\[\w+\]/g, '[]').replace(/^( *(?:keep_firing_)?for): \w+$/gm, '$1:');
  for (const name of files) {
    const text = await readFile(new URL(name, RULES), 'utf8');
    const shortened = shortenRules(text);
    expect(shortened).not.toBe(text);
    expect(durations(shortened)).toBe(durations(text));
  }
});

test('every interval of Prometheus and every group of Alertmanager is a second', async () => {
  for (const name of ['prometheus/prometheus.yml', 'alertmanager/alertmanager.yml']) {
    const text = shortenIntervals(await readFile(new URL(name, DEPLOY), 'utf8'));
    const intervals = text.match(/^ *(?:scrape|evaluation|group)_(?:interval|timeout|wait): \w+$/gm) ?? [];
    expect(intervals.length).toBeGreaterThanOrEqual(3);
    expect(intervals.filter((line) => !line.endsWith(': 1s'))).toEqual([]);
  }
});

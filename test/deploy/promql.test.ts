import { expect, test } from 'vitest';
import { parsePromql } from '../../deploy/programs/promql.ts';

test('metrics, matchers and groupings of an expression are found, each with what it applies to', () => {
  const expression = parsePromql(
    'sum by (le, agent_id) (rate(a_bucket{x=~"v\\\\d+", y!="z"}[5m])) / on (job) group_left (version) max(b{c="d"})',
  );
  expect(expression.metrics).toEqual(['a_bucket', 'b']);
  expect(expression.labels).toEqual(['x', 'y', 'c', 'le', 'agent_id', 'job', 'version']);
  expect(expression.selectors).toEqual([
    {
      metric: 'a_bucket',
      matchers: [
        { label: 'x', operator: '=~', value: 'v\\d+' },
        { label: 'y', operator: '!=', value: 'z' },
      ],
    },
    { metric: 'b', matchers: [{ label: 'c', operator: '=', value: 'd' }] },
  ]);
  expect(
    expression.groupings.map(({ labels, selectors }) => [labels, selectors.map(({ metric }) => metric)]),
  ).toEqual([
    [['le', 'agent_id'], ['a_bucket']],
    [['job'], ['a_bucket', 'b']],
    [['version'], ['a_bucket', 'b']],
  ]);
});

test.each([
  ['{__name__="x", a="b"}', 'x'],
  ['{"x y", a="b"}', 'x y'],
  ['a:b:c offset 5m', 'a:b:c'],
])('the metric of %s', (text, metric) => {
  expect(parsePromql(text).metrics).toEqual([metric]);
});

test.each(['', 'rate(foo[5m', 'sum(a) by', 'a{b="c"', 'rate(a[$__rate_interval])'])(
  '%s does not parse',
  (text) => {
    expect(() => parsePromql(text)).toThrow(SyntaxError);
  },
);

import { type Expression, parsePromql, type Selector } from '../promql.ts';
import type { KnownSeries } from './known-series.ts';

/** The problems of a PromQL query: it does not parse, or it names series, labels or values that do not exist. */
export function checkQuery(text: string, known: KnownSeries): string[] {
  let expression: Expression;
  try {
    expression = parsePromql(text);
  } catch (error) {
    return [String((error as Error).message)];
  }
  const has = ({ metric }: Selector, label: string) => known.get(metric)?.has(label) ?? false;
  const grouped = expression.groupings.flatMap(({ labels, selectors }) =>
    labels
      .filter((label) => !selectors.some((selector) => has(selector, label)))
      .map((label) => `no series that is grouped or joined by "${label}" has such a label`),
  );
  return [...expression.selectors.flatMap((selector) => checkSelector(selector, known)), ...grouped];
}

function checkSelector({ metric, matchers }: Selector, known: KnownSeries): string[] {
  const labels = known.get(metric);
  if (!labels) return [`there is no series ${metric || 'without a name'}`];
  return matchers.flatMap(({ label, operator, value }) => {
    const values = labels.get(label);
    if (values === undefined) return [`${metric} has no label "${label}"`];
    // An absent label has the empty value.
    if (values === null || value === '') return [];
    const matches = operator.endsWith('~')
      ? values.some((one) => new RegExp(`^(?:${value})$`).test(one))
      : values.includes(value);
    return matches ? [] : [`${metric} never has ${label}${operator}"${value}"`];
  });
}

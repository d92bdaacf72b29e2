import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { FAMILIES } from '../../../src/telemetry/families.ts';
import { parsePromql } from '../promql.ts';
import type { KnownSeries } from '../rules/known-series.ts';
import { MEANINGS } from './colours.ts';
import { interpolate, timeValues } from './interpolate.ts';
import { panelsOf, queriesOf } from './panel-data.ts';

/** One way in which the name of a series gets its colour. */
interface Rule {
  readonly matches: (name: string) => boolean;
  readonly mode: string;
  readonly colour: string;
}

/** A placeholder for a label whose values nobody knows in advance. */
const ANY = '\u0000';
/** Values that keep variables visible in a parsed query. */
const VALUES = {
  ...timeValues(3600, 15, 15),
  job: '$job',
  instance: '$instance',
  agent_id: '$agent_id',
  slo: '$slo',
  pipeline: '$pipeline',
};
const WORDS: Readonly<Record<keyof typeof MEANINGS, RegExp>> = {
  bad: /\b(?:error|failed|dropped|5xx)\b|: invalid$/,
  good: /\b(?:success|delivered|approved|sent|2xx)\b|: valid$/,
  warning: /\b(?:denied|4xx)\b/,
};
/** A number of the rules, which belongs to no job. Queries join it with what does. */
const OBJECTIVE = 'slo:objective:ratio';
const EXEMPLARS = /grantex_(?:authorize|token_exchange|http_request)_duration_seconds_bucket/;

/**
 * What breaks the rules of all our dashboards, one sentence each: colours by meaning, no two series of a panel alike,
 * exemplars on latencies, nothing of another deployment.
 * @param known the series that queries may name, with the values of their labels
 */
export function checkDashboard(dashboard: Dashboard, known: KnownSeries): string[] {
  const names = (dashboard.templating?.list ?? []).map(({ name }) => name);
  const missing = ['job', 'instance'].filter((name) => !names.includes(name));
  return [
    ...missing.map((name) => `has no variable $${name}`),
    ...panelsOf(dashboard).flatMap((panel) =>
      [...checkColours(panel, known), ...checkQueries(panel)].map((problem) => `${panel.title}: ${problem}`),
    ),
  ];
}

/** The series that have different colours in different panels, one sentence each. */
export function checkSameColours(dashboards: readonly Dashboard[]): string[] {
  const seen = new Map<string, Set<string>>();
  for (const panel of dashboards.flatMap(panelsOf))
    for (const { matcher, properties } of panel.fieldConfig?.overrides ?? [])
      for (const { id, value } of properties)
        if (id === 'color' && matcher.id === 'byName')
          seen.set(matcher.options, (seen.get(matcher.options) ?? new Set()).add(value.fixedColor));
  return [...seen]
    .filter(([, colours]) => colours.size > 1)
    .map(([name, colours]) => `${name} has several colours: ${[...colours].join(', ')}`);
}

function checkColours(panel: Panel, known: KnownSeries): string[] {
  if (panel.type !== 'timeseries') return [];
  const problems: string[] = [];
  // A hash of the name chooses the colour there. It paints failures green, and two series alike.
  if (panel.fieldConfig?.defaults.color?.mode !== 'palette-classic')
    problems.push('its colours do not come from the palette by place');
  const rules = rulesOf(panel);
  const series = queriesOf(panel).flatMap(({ legendFormat = '', expr }) =>
    namesOf(legendFormat, expr, known),
  );
  for (const name of series) {
    const rule = rules.find(({ matches }) => matches(name));
    if (!rule && !name.includes(ANY)) problems.push(`"${name}" has no colour of its own`);
    for (const [meaning, word] of Object.entries(WORDS)) {
      const allowed = MEANINGS[meaning as keyof typeof MEANINGS] as readonly string[];
      if (word.test(name) && !allowed.includes(rule?.colour ?? ''))
        problems.push(`"${shown(name)}" does not look ${meaning}`);
    }
  }
  const colours = rules.map(({ colour }) => colour);
  problems.push(
    ...colours
      .filter((colour, index) => colours.indexOf(colour) !== index)
      .map((twice) => `${twice} is there twice`),
    ...colours.filter((colour) => !isOurs(colour)).map((strange) => `${strange} is no colour of ours`),
  );
  return problems;
}

/** Neutral colours and their lighter variants are numbers. */
const isOurs = (colour: string): boolean =>
  colour.startsWith('#') ||
  Object.values(MEANINGS)
    .flat()
    .includes(colour as never);

const rulesOf = (panel: Panel): Rule[] =>
  (panel.fieldConfig?.overrides ?? []).flatMap(({ matcher, properties }) =>
    properties
      .filter(({ id }) => id === 'color')
      .map(({ value }) => ({
        mode: value.mode,
        colour: value.fixedColor,
        matches:
          matcher.id === 'byName'
            ? (name: string) => name === matcher.options
            : (name: string) => new RegExp(matcher.options.slice(1, -1)).test(name),
      })),
  );

/** The names that the series of a query can have. */
function namesOf(legend: string, expr: string, known: KnownSeries): string[] {
  const metrics = parsePromql(interpolate(expr, VALUES)).metrics;
  const seeded = FAMILIES.find(({ name, seeds }) => metrics.includes(name) && seeds)?.seeds;
  if (seeded)
    return seeded.map((labels) =>
      legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => String(labels[label] ?? ANY)),
    );
  let names = [''];
  for (const [, label, text = ''] of legend.matchAll(/\{\{(\w+)\}\}|((?:(?!\{\{).)+)/g)) {
    const values = label ? valuesOf(label, metrics, known) : [text];
    names = names.flatMap((name) => values.map((value) => name + value));
  }
  return names;
}

function valuesOf(label: string, metrics: readonly string[], known: KnownSeries): readonly string[] {
  const closed = metrics
    .map((metric) => known.get(metric)?.get(label))
    .find((values) => Array.isArray(values));
  return closed?.filter((value) => value !== '_OTHER') ?? [ANY];
}

const shown = (name: string): string => name.replaceAll(ANY, '…');

function checkQueries(panel: Panel): string[] {
  return queriesOf(panel).flatMap(({ expr, range, exemplar }) => [
    ...(range && EXEMPLARS.test(expr) && !exemplar ? [`asks for no exemplars: ${expr}`] : []),
    ...parsePromql(interpolate(expr, VALUES))
      .selectors.filter(({ metric, matchers }) => metric !== OBJECTIVE && !matchers.some(isScope))
      .map(({ metric }) => `${metric} is not of the chosen deployment`),
  ]);
}

const isScope = ({ label, value }: { label: string; value: string }): boolean =>
  label === 'job' && /\$(?:job|pipeline)\b/.test(value);

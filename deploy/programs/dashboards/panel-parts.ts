import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { FAMILIES } from '../../../src/telemetry/families.ts';
import { runbookUrl } from './alerts.ts';
import type { Signal } from './signals.ts';
import { DATA_SOURCE } from './variables.ts';

export interface Query {
  readonly expr: string;
  /** The name of a line. It may contain labels as `{{label}}`. */
  readonly legend?: string;
  /** The names of all its series, where labels with a closed set of values make them. Each has its colour in `colours.ts`. */
  readonly names?: readonly string[];
  /**
   * Shades of a colour for series that are not known in advance but mean something, such as the errors of agents: each
   * pattern of names with its colour.
   */
  readonly shades?: readonly (readonly [pattern: string, colour: string])[];
}

/** What a panel says in place of a number. */
export interface Word {
  readonly from: number;
  /** null: no upper end. */
  readonly to: number | null;
  readonly text: string;
  readonly color: string;
}

export interface PanelOptions {
  readonly title: string;
  /** What the panel shows and what to do about it. */
  readonly description: string;
  readonly unit: string;
  /** In columns; a dashboard has 24. */
  readonly width: number;
  readonly height?: number;
  readonly queries: readonly Query[];
  /** The alert on these values. The panel draws its limits and links its runbook. */
  readonly signal?: Signal;
  /** How many units of the panel are one unit of the alert. */
  readonly scale?: number;
  /** Further alerts whose runbooks are linked. */
  readonly runbooks?: readonly string[];
  readonly links?: readonly Link[];
  /** The lower end of the axis: 0 by default; null: the smallest value. */
  readonly min?: number | null;
  readonly max?: number;
  readonly decimals?: number;
  /** The text to show when there is no value. */
  readonly noValue?: string;
  readonly words?: readonly Word[];
}

export interface Link {
  readonly title: string;
  readonly url: string;
}

/** The methods that the builders of all panel types share. */
interface Dressable {
  title(title: string): this;
  description(text: string): this;
  datasource(ref: typeof DATA_SOURCE): this;
  span(width: number): this;
  height(height: number): this;
  unit(unit: string): this;
  min(value: number): this;
  max(value: number): this;
  decimals(decimals: number): this;
  noValue(text: string): this;
  mappings(mappings: ValueMapping[]): this;
  thresholds(config: Builder<ReturnType<ThresholdsConfigBuilder['build']>>): this;
  links(links: DashboardLinkBuilder[]): this;
}

export function dress<P extends Dressable>(
  panel: P,
  options: PanelOptions & { readonly height: number },
  coloured: boolean,
): P {
  panel
    .title(options.title)
    .description(options.description)
    .datasource(DATA_SOURCE)
    .span(options.width)
    .height(options.height)
    .unit(options.unit)
    .noValue(options.noValue ?? 'no data')
    .links(linksOf(options));
  if (typeof options.min === 'number') panel.min(options.min);
  if (options.max !== undefined) panel.max(options.max);
  if (options.decimals !== undefined) panel.decimals(options.decimals);
  if (options.words) panel.mappings(wordsOf(options.words));
  // One colour for panels without a signal. Grafana's default turns red at 80.
  const plain = new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: coloured ? 'blue' : 'green' }]);
  return panel.thresholds(options.signal ? limits(options.signal, options.scale) : plain);
}

export const wordsOf = (words: readonly Word[]): ValueMapping[] =>
  words.map(({ from, to, text, color }, index) => ({
    type: MappingType.RangeToText,
    options: { from, to, result: { text, color, index } },
  }));

export function limits({ warning, critical, falling }: Signal, scale = 1): ThresholdsConfigBuilder {
  const [low, high] = [warning * scale, critical * scale];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(
    falling
      ? [
          { value: null, color: 'red' },
          { value: high, color: 'orange' },
          { value: low, color: 'green' },
        ]
      : [
          { value: null, color: 'green' },
          { value: low, color: 'orange' },
          { value: high, color: 'red' },
        ],
  );
}

const linksOf = ({ signal, runbooks = [], links = [] }: PanelOptions): DashboardLinkBuilder[] => [
  ...[...(signal?.alerts ?? []), ...runbooks].map((alert) => link(`Runbook: ${alert}`, runbookUrl(alert))),
  ...links.map(({ title, url }) => link(title, url)),
];

const link = (title: string, url: string) =>
  new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true);

/** A, B, C, …: the ids by which Grafana distinguishes the queries of a panel. */
export const refId = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index);

/** The service gives exemplars on the buckets of these families. */
const WITH_EXEMPLARS = new RegExp(
  `^${FAMILIES.filter(({ exemplars, boundaries }) => exemplars && boundaries)
    .map(({ name }) => `${name}_bucket`)
    .join('|')}$`,
);
const hasExemplars = (expr: string): boolean =>
  (expr.match(/\w+_bucket/g) ?? []).some((name) => WITH_EXEMPLARS.test(name));

export function target({ expr, legend }: Query, index: number): DataqueryBuilder & Builder<Dataquery> {
  const query = new DataqueryBuilder().refId(refId(index)).datasource(DATA_SOURCE).expr(expr);
  if (legend !== undefined) query.legendFormat(legend);
  if (hasExemplars(expr)) query.exemplar(true);
  return query;
}

// What the catalogue says of one family of metrics, and what follows from it.
import type {
  Attributes,
  Counter,
  Histogram,
  ObservableGauge,
  ObservableUpDownCounter,
} from '@opentelemetry/api';

/** One label. Its key in `labels` is the attribute that the service records. */
export interface Label<V extends string = string> {
  /** Name in the exposition (dots become underscores); left out: that of the attribute. */
  readonly as?: string;
  /** Every value it may take. Anything else becomes `otherwise`. Left out where the code that records is the bound. */
  readonly values?: readonly V[];
  /** For absent and unknown values. Left out: an absent attribute is an absent label, an unknown value is `_OTHER`. */
  readonly otherwise?: string;
}

export type Kind = 'counter' | 'histogram' | 'gauge' | 'upDownCounter';

/** One family of the exposition, with everything that is known of it. */
export interface Family {
  /** Exact Prometheus name. */
  readonly name: string;
  /** Name of the OpenTelemetry instrument that feeds it, after the semantic conventions. */
  readonly instrument: string;
  readonly kind: Kind;
  /** A unit of UCUM, as OpenTelemetry writes it. */
  readonly unit: string;
  /** HELP text, and the text of the table in docs/metrics.md. */
  readonly help: string;
  readonly labels: Readonly<Record<string, Label>>;
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[];
  /** Label sets that are there with 0 from the first scrape; left out: every combination of closed labels. */
  readonly seeds?: readonly Attributes[];
  /** The same recordings with `agent_id`, in a second family. */
  readonly perAgent?: { readonly name: string; readonly help: string };
}

/** A label of a closed set of values. */
export const oneOf = <const V extends string>(...values: readonly V[]): Label<V> => ({ values });

/** What may be recorded: the labels of the family with their values, and the agent where there is a family for each agent. */
export type AttributesOf<F extends Family> = {
  readonly [K in keyof F['labels']]?: F['labels'][K] extends Label<infer V> ? V : never;
} & (F extends { perAgent: object } ? { readonly agent_id?: string } : unknown);

/** The instrument of a family; recording a label that the catalogue does not have is a type error. */
export type InstrumentOf<F extends Family> = F['kind'] extends 'counter'
  ? Counter<AttributesOf<F>>
  : F['kind'] extends 'histogram'
    ? Histogram<AttributesOf<F>>
    : F['kind'] extends 'gauge'
      ? ObservableGauge<AttributesOf<F>>
      : ObservableUpDownCounter<AttributesOf<F>>;

/** Label sets to begin with, so that `rate()` sees the first event; none where a label is open. */
export function seedsOf({ labels, seeds }: Family): readonly Attributes[] {
  if (seeds) return seeds;
  let sets: Attributes[] = [{}];
  for (const [name, { values }] of Object.entries(labels)) {
    if (!values) return [];
    sets = sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value })));
  }
  return sets;
}

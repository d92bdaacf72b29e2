// The form of one entry of the catalogue of metric families, and the types that follow from an entry.
import type {
  Attributes,
  ObservableCounter,
  ObservableGauge,
  ObservableUpDownCounter,
} from '@opentelemetry/api';

/** One label. Its key in `labels` is the attribute that is recorded. */
export interface Label {
  /** What it says, for the attribute registry. */
  readonly text: string;
  /** Name in the exposition, where dots become underscores; without it, the name of the attribute. */
  readonly as?: string;
  /** Every value it may take. Another value becomes `otherwise`. Without it, the code that records sets the bound. */
  readonly values?: readonly string[];
  /** For absent and unknown values. Without it, an absent attribute is an absent label and an unknown value is `_OTHER`. */
  readonly otherwise?: string;
  /** OpenTelemetry's stable conventions define the name, so the attribute registry does not have it. */
  readonly standard?: true;
  /** The attribute may be absent. */
  readonly optional?: true;
}

/** The OpenTelemetry instruments in use. `counter` and `histogram` are recorded into, the rest are read at a scrape. */
export type Kind =
  | 'counter'
  | 'histogram'
  | 'observableCounter'
  | 'observableGauge'
  | 'observableUpDownCounter';

/** One family of the exposition, with everything that is known of it. */
export interface Family {
  /** Exact Prometheus name. */
  readonly name: string;
  /** Name of the OpenTelemetry instrument that feeds it, after the semantic conventions. */
  readonly instrument: string;
  readonly kind: Kind;
  /** A unit of UCUM, as OpenTelemetry writes it. */
  readonly unit: string;
  /** HELP text of the exposition; it also begins the description in docs/metrics.md. */
  readonly help: string;
  /** What a reader of docs/metrics.md should know besides. */
  readonly note?: string;
  readonly labels: Readonly<Record<string, Label>>;
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[];
  /**
   * Label sets that a counter or a histogram has with 0 from the first scrape. Without it, a counter has every combination of
   * closed labels, and a histogram none.
   */
  readonly seeds?: readonly Attributes[];
  /** Series that carry exemplars: all, or those with one of these label values. Without it, none. */
  readonly exemplars?: 'all' | readonly string[];
  /** The same recordings with `agent_id`, in a second family. */
  readonly perAgent?: { readonly name: string; readonly help: string };
}

/** A label with a closed set of values. */
export const oneOf = <const V extends string>(text: string, values: readonly V[]) => ({ text, values });

type ValueOf<L> = L extends { readonly values: readonly (infer V)[] } ? V : string;
type OptionalOf<Labels> = {
  [K in keyof Labels]: Labels[K] extends { readonly optional: true } ? K : never;
}[keyof Labels];

/** What may be recorded: the labels of the family with their values, and the agent where there is a family for each agent. */
export type AttributesOf<F extends Family> = {
  readonly [K in Exclude<keyof F['labels'], OptionalOf<F['labels']>>]: ValueOf<F['labels'][K]>;
} & { readonly [K in OptionalOf<F['labels']>]?: ValueOf<F['labels'][K]> } & (F extends {
    readonly perAgent: object;
  }
    ? { readonly agent_id?: string }
    : unknown);

/** Labels that must be recorded cannot be left out. */
type Recorded<A> = Record<never, never> extends A ? [attributes?: A] : [attributes: A];

/** An OpenTelemetry `Counter` that takes only the labels of its family. */
interface TypedCounter<A> {
  add(value: number, ...attributes: Recorded<A>): void;
}
/** An OpenTelemetry `Histogram` that takes only the labels of its family. */
interface TypedHistogram<A> {
  record(value: number, ...attributes: Recorded<A>): void;
}

/** The instrument of a family. Recording a label or a value that the catalogue does not have is a type error. */
export type InstrumentOf<F extends Family> = {
  counter: TypedCounter<AttributesOf<F>>;
  histogram: TypedHistogram<AttributesOf<F>>;
  observableCounter: ObservableCounter<AttributesOf<F>>;
  observableGauge: ObservableGauge<AttributesOf<F>>;
  observableUpDownCounter: ObservableUpDownCounter<AttributesOf<F>>;
}[F['kind']];

/** A label as the exposition has it. */
export interface ExposedLabel extends Label {
  readonly name: string;
  /** The attribute that it is taken from. */
  readonly from: string;
}

/** The labels of a family under their names in the exposition. */
export const exposedLabels = ({ labels }: Pick<Family, 'labels'>): readonly ExposedLabel[] =>
  Object.entries(labels).map(([from, label]) => ({ ...label, name: label.as ?? from, from }));

/** Label sets that a counter begins with, so that `rate()` sees the first event; none where a label is open. */
export function seedsOf({ labels, seeds }: Family): readonly Attributes[] {
  if (seeds) return seeds;
  let sets: Attributes[] = [{}];
  for (const [name, { values }] of Object.entries(labels)) {
    if (!values) return [];
    sets = sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value })));
  }
  return sets;
}

import type { Attributes, Context } from '@opentelemetry/api';
import type { IAttributesProcessor } from '@opentelemetry/sdk-metrics';
import type { Family } from '../src/telemetry/families/family.ts';
import { measuredIn } from '../src/telemetry/measured.ts';

/** One measurement, and the sampled span that it was made in. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** The latest exemplars of one series. */
export interface ExemplarSlot {
  /** Grows with every exemplar. */
  version: number;
  /** One of a counter; of a histogram one for each bucket, that of +Inf included. */
  readonly latest: (Exemplar | undefined)[];
}

export interface Exemplars {
  /** Selects as `select` does, and keeps the exemplar of what is recorded, where the family has exemplars. */
  keep(family: Family, select: IAttributesProcessor): IAttributesProcessor;
  /** The exemplars of a series, by the labels that a view of `keep` selected; undefined: there are none yet. */
  of(family: string, labels: Attributes): ExemplarSlot | undefined;
}

/**
 * The latest exemplars beside the instruments, because the SDK has none. Series are bounded by the labels of the catalogue, and
 * each has at most one exemplar for a bucket. A request that is not sampled leaves nothing and costs nothing.
 */
export function createExemplars(now: () => number = Date.now): Exemplars {
  const families = new Map<string, Map<string, ExemplarSlot>>();

  const keepIn = (slots: Map<string, ExemplarSlot>, family: Family, labels: Attributes, context: Context) => {
    const measured = measuredIn(context);
    if (measured === undefined || !hasExemplars(family, labels)) return;
    const { value, span } = measured;
    const key = keyOf(labels);
    let slot = slots.get(key);
    if (slot === undefined) {
      slot = { version: 0, latest: [] };
      slots.set(key, slot);
    }
    slot.latest[bucketOf(family.boundaries, value)] = {
      traceId: span.traceId,
      spanId: span.spanId,
      value,
      time: now(),
    };
    slot.version += 1;
  };

  return {
    keep(family, select) {
      if (family.exemplars === undefined) return select;
      const slots = new Map<string, ExemplarSlot>();
      families.set(family.name, slots);
      return {
        process(incoming, context) {
          const labels = select.process(incoming, context);
          if (context !== undefined) keepIn(slots, family, labels, context);
          return labels;
        },
      };
    },
    of: (family, labels) => families.get(family)?.get(keyOf(labels)),
  };
}

const keyOf = (labels: Attributes): string => Object.values(labels).join('\0');

function hasExemplars({ exemplars }: Family, labels: Attributes): boolean {
  if (exemplars === 'all') return true;
  return Object.values(labels).some((value) => exemplars?.includes(String(value)));
}

/** A bucket holds what is at most its boundary. */
function bucketOf(boundaries: readonly number[] | undefined, value: number): number {
  if (boundaries === undefined) return 0;
  const at = boundaries.findIndex((boundary) => value <= boundary);
  return at === -1 ? boundaries.length : at;
}

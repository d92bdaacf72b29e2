import { type Attributes, type Meter, type MetricOptions, trace } from '@opentelemetry/api';
import { type Family, type InstrumentOf, seedsOf } from './families/family.ts';
import { SERVICE_FAMILIES } from './families.ts';
import { createGuard, type Guard } from './guard.ts';
import { measuredContext } from './measured.ts';

type Families = typeof SERVICE_FAMILIES;
type FamilyInstruments = { readonly [Key in keyof Families]: InstrumentOf<Families[Key]> };

/** Every instrument of the service. Only `src/telemetry` records into them; the rest of the service calls events. */
export type Instruments = FamilyInstruments & {
  /** Swallows and counts what the recording of telemetry throws. */
  readonly guard: Guard;
};

/**
 * Creates the instruments of the catalogue on `meter`, and records 0 for each closed label set of a counter. The names of
 * the exposition come from the views of `instrumentation/`.
 */
export function createInstruments(meter: Meter): Instruments {
  const guard = createGuard();
  const families = Object.entries<Family>(SERVICE_FAMILIES);
  const instruments = Object.fromEntries(
    families.map(([key, family]) => [key, createInstrument(meter, family, guard)] as const),
  ) as FamilyInstruments;
  instruments.telemetryFaults.addCallback((result) => result.observe(guard.faults()));
  return { ...instruments, guard };
}

function createInstrument(meter: Meter, family: Family, guard: Guard) {
  const { instrument, unit, help } = family;
  const options: MetricOptions = { unit, description: help };
  switch (family.kind) {
    case 'counter': {
      const counter = meter.createCounter(instrument, options);
      for (const labels of seedsOf(family)) guard.run(() => counter.add(0, labels));
      if (family.exemplars === undefined) return counter;
      return { add: (value: number, labels?: Attributes) => counter.add(value, labels, measured(value)) };
    }
    case 'histogram': {
      const histogram = meter.createHistogram(instrument, options);
      if (family.exemplars === undefined) return histogram;
      return {
        record: (value: number, labels?: Attributes) => histogram.record(value, labels, measured(value)),
      };
    }
    case 'observableCounter':
      return meter.createObservableCounter(instrument, options);
    case 'observableGauge':
      return meter.createObservableGauge(instrument, options);
    case 'observableUpDownCounter':
      return meter.createObservableUpDownCounter(instrument, options);
  }
}

const measured = (value: number) => measuredContext(value, trace.getActiveSpan()?.spanContext());

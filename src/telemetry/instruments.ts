import type { Meter, MetricOptions } from '@opentelemetry/api';
import { SERVICE_FAMILIES } from './families.ts';
import { type Family, type InstrumentOf, seedsOf } from './family.ts';
import { createGuard, type Guard } from './guard.ts';

type Families = typeof SERVICE_FAMILIES;

/** Every instrument of the service. Only `src/telemetry` records into them: the rest of the service calls events. */
export type Instruments = { readonly [key in keyof Families]: InstrumentOf<Families[key]> } & {
  /** Swallows and counts what the recording of telemetry throws. */
  readonly guard: Guard;
};

/**
 * Creates the instruments of the catalogue on `meter`, and records 0 for each closed label set of a counter. The names of
 * the exposition come from the views of `instrumentation/`.
 */
export function createInstruments(meter: Meter): Instruments {
  const guard = createGuard();
  meter
    .createObservableCounter('grantex.telemetry.faults', {
      unit: '{fault}',
      description: 'Errors thrown while recording telemetry; they were swallowed, the requests went on.',
    })
    .addCallback((result) => result.observe(guard.faults()));

  const create = (family: Family) => {
    const options: MetricOptions = { unit: family.unit, description: family.help };
    if (family.kind === 'histogram') return meter.createHistogram(family.instrument, options);
    if (family.kind === 'gauge') return meter.createObservableGauge(family.instrument, options);
    if (family.kind === 'upDownCounter')
      return meter.createObservableUpDownCounter(family.instrument, options);
    const counter = meter.createCounter(family.instrument, options);
    for (const labels of seedsOf(family)) guard.run(() => counter.add(0, labels));
    return counter;
  };
  const instruments = Object.entries(SERVICE_FAMILIES).map(([key, family]) => [key, create(family)]);
  return { ...Object.fromEntries(instruments), guard };
}

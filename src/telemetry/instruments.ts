import { type Attributes, type Meter, type MetricOptions, trace } from '@opentelemetry/api';
import { within } from '../within.ts';
import { type AgentSeries, createAgentSeries } from './agent-series.ts';
import { type Family, type InstrumentOf, seedsOf } from './families/family.ts';
import { SERVICE_FAMILIES } from './families.ts';
import { createGuard, type Guard } from './guard.ts';
import { measuredContext } from './measured.ts';

/** Longest time that a scrape waits for agents that the database has to decide about. */
const SETTLE_MS = 300;

type Families = typeof SERVICE_FAMILIES;
type FamilyInstruments = { readonly [Key in keyof Families]: InstrumentOf<Families[Key]> };

/** Every instrument of the service. Only `src/telemetry` records into them; the rest of the service calls events. */
export type Instruments = FamilyInstruments & {
  /** Swallows and counts what the recording of telemetry throws. */
  readonly guard: Guard;
  /** Decides which agents are recorded under their own id. */
  readonly agentSeries: AgentSeries;
};

/**
 * Creates the instruments of the catalogue on `meter`, and records 0 for each closed label set of a counter. The names of
 * the exposition come from the views of `instrumentation/`.
 */
export function createInstruments(meter: Meter): Instruments {
  const guard = createGuard();
  const agentSeries = createAgentSeries(guard);
  const families = Object.entries<Family>(SERVICE_FAMILIES);
  const instruments = Object.fromEntries(
    families.map(([key, family]) => [key, createInstrument(meter, family, guard, agentSeries)] as const),
  ) as FamilyInstruments;
  instruments.telemetryFaults.addCallback(async (result) => {
    // What waits for the database is in the scrape, unless the database is slow.
    await within(SETTLE_MS, agentSeries.settled());
    result.observe(guard.faults());
  });
  return { ...instruments, guard, agentSeries };
}

function createInstrument(meter: Meter, family: Family, guard: Guard, agentSeries: AgentSeries) {
  const { instrument, unit, help } = family;
  const options: MetricOptions = { unit, description: help };
  switch (family.kind) {
    case 'counter': {
      const counter = meter.createCounter(instrument, options);
      for (const labels of seedsOf(family)) guard.run(() => counter.add(0, labels));
      const add = family.exemplars
        ? (value: number, labels?: Attributes) => counter.add(value, labels, measured(value))
        : (value: number, labels?: Attributes) => counter.add(value, labels);
      if (!family.perAgent) return family.exemplars ? { add } : counter;
      return {
        add: (value: number, labels: Attributes = {}) =>
          agentSeries.label(labels, (labelled) => add(value, labelled)),
      };
    }
    case 'histogram': {
      const histogram = meter.createHistogram(instrument, options);
      const record = family.exemplars
        ? (value: number, labels?: Attributes) => histogram.record(value, labels, measured(value))
        : (value: number, labels?: Attributes) => histogram.record(value, labels);
      if (!family.perAgent) return family.exemplars ? { record } : histogram;
      return {
        record: (value: number, labels: Attributes = {}) =>
          agentSeries.label(labels, (labelled) => record(value, labelled)),
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

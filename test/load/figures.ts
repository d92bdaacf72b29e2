import type { Measured } from './measure.ts';
import type { Scenario } from './scenarios.ts';
import type { Row } from './table.ts';
import { medianOf, round } from './table.ts';
import type { Variant } from './testbed.ts';

/** The median of several measurements, separately for each figure. */
export function medianFigures(all: readonly Measured[]): Measured {
  const statements = all.flatMap((one) => one.statements ?? []);
  return {
    perSecond: medianOf(all, (one) => one.perSecond),
    p50: medianOf(all, (one) => one.p50),
    p99: medianOf(all, (one) => one.p99),
    serviceCpu: medianOf(all, (one) => one.serviceCpu),
    databaseCpu: medianOf(all, (one) => one.databaseCpu),
    statements: statements.length > 0 ? medianOf(statements, (one) => one) : null,
  };
}

/** The columns of one table row. */
export function figures(measured: Measured): Row {
  return {
    'per s': Math.round(measured.perSecond),
    'p50 ms': round(measured.p50),
    'p99 ms': round(measured.p99),
    'CPU µs': round(measured.serviceCpu),
    'db µs': round(measured.databaseCpu),
    'round trips': measured.statements === null ? '' : round(measured.statements),
  };
}

/** The services with each amount of telemetry and the floor, measured one right after the other. */
export type Turn = Readonly<Partial<Record<Variant | 'floor', Measured>>>;

/**
 * The columns that compare CPU times. The ratios to the floor have the design's goals beside them. A ratio is the median of
 * the ratios of each turn. It is empty where one of the two was not measured.
 */
export function ratios(turns: readonly Turn[], goal: Scenario['goal']): Row {
  const ratio = (over: keyof Turn, under: keyof Turn): number | '' => {
    const both = turns.flatMap(({ [over]: a, [under]: b }) => (a && b ? [a.serviceCpu / b.serviceCpu] : []));
    return both.length === 0 ? '' : round(medianOf(both, (one) => one));
  };
  const floors = turns.flatMap(({ floor }) => floor?.serviceCpu ?? []);
  return {
    'floor µs': floors.length === 0 ? '' : round(medianOf(floors, (one) => one)),
    'full ÷ floor': ratio('full', 'floor'),
    'at most': goal?.full ?? '',
    'tenth ÷ floor': ratio('tenth', 'floor'),
    'off ÷ floor': ratio('off', 'floor'),
    'off, at most': goal?.off ?? '',
    'full ÷ off': ratio('full', 'off'),
    'tenth ÷ off': ratio('tenth', 'off'),
  };
}

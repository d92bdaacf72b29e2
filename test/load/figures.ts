import type { Measured } from './measure.ts';
import type { Row } from './table.ts';
import { medianOf, round } from './table.ts';

/** The middle of several stretches, each figure for itself. */
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

/** Columns of one line of a table; `unit` is the CPU time of the bare server. */
export function figures(measured: Measured, unit: number): Row {
  return {
    'per s': Math.round(measured.perSecond),
    'p50 ms': round(measured.p50),
    'p99 ms': round(measured.p99),
    'CPU µs': round(measured.serviceCpu),
    units: round(measured.serviceCpu / unit),
    'db µs': round(measured.databaseCpu),
    'db units': round(measured.databaseCpu / unit),
    'round trips': measured.statements === null ? '' : round(measured.statements),
  };
}

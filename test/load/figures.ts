import type { Measured } from './measure.ts';
import type { Row } from './table.ts';
import { medianOf, round } from './table.ts';

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

/** The same rows with CPU time also as a multiple of `unit`, the CPU time of the bare server. */
export function inUnits(rows: readonly Row[], unit: number | null): Row[] {
  if (unit === null) return [...rows];
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).flatMap(([name, value]): [string, string | number][] => {
        const inUnit = () => round(Number(value) / unit);
        if (name === 'CPU µs')
          return [
            [name, value],
            ['units', inUnit()],
          ];
        if (name === 'db µs')
          return [
            [name, value],
            ['db units', inUnit()],
          ];
        return [[name, value]];
      }),
    ),
  );
}

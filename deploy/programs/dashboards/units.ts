const SECOND_STEPS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [0.001, 'ms'],
] as const;
const BYTE_STEPS = [
  [1024 ** 3, 'GiB'],
  [1024 ** 2, 'MiB'],
  [1024, 'KiB'],
  [1, 'B'],
] as const;
/** The suffix of a number, by Grafana's name of the unit. */
const SUFFIXES: Readonly<Record<string, string>> = {
  ops: ' ops/s',
  reqps: ' req/s',
  eps: ' ev/s',
  cpm: ' /min',
  reqpm: ' req/min',
  none: '',
  locale: '',
};

/** Formats a value as a panel of Grafana does, for pictures. Throws for an unknown unit. */
export function format(value: number, unit: string, decimals?: number): string {
  if (!Number.isFinite(value)) return '';
  if (unit === 'percentunit') return `${number(value * 100, decimals)} %`;
  if (unit === 's') return scaled(value, SECOND_STEPS, decimals);
  if (unit === 'ms') return scaled(value / 1000, SECOND_STEPS, decimals);
  if (unit === 'bytes') return scaled(value, BYTE_STEPS, decimals);
  const suffix = SUFFIXES[unit];
  if (suffix === undefined) throw new Error(`unknown unit ${unit}`);
  return number(value, decimals) + suffix;
}

function scaled(value: number, steps: readonly (readonly [number, string])[], decimals?: number): string {
  const last = steps.at(-1) ?? [1, ''];
  const [size, name] = steps.find(([size]) => Math.abs(value) >= size) ?? last;
  return `${number(value / size, decimals)} ${name}`;
}

/** Three digits by default. Whole numbers stay whole. */
function number(value: number, decimals?: number): string {
  const digits =
    decimals ?? (Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2);
  return value.toLocaleString('en', { minimumFractionDigits: decimals ?? 0, maximumFractionDigits: digits });
}

/** The objectives of deploy/programs/rules/slo, by the names that sloth gives their series. */
export const OBJECTIVES = [
  'authorize-availability',
  'authorize-latency',
  'exchange-availability',
  'exchange-latency',
  'verify-availability',
  'verify-latency',
] as const;

/** The windows over which the rules compute the share of errors: those of pages, and those of tickets. */
export const WINDOWS = { short: ['5m', '30m', '1h', '6h'], long: ['2h', '1d', '3d'] } as const;

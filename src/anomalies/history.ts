import type { Config } from '../config.ts';

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * How far back, in milliseconds, the rules about windows look at tokens, exchanges and audit entries, and a scan at single
 * facts. Whoever removes such rows must leave those that are younger. The rules about what is new to an agent look at all
 * grants that there are.
 */
export function historyMs(config: Config): number {
  return Math.max(
    config.anomalyRateWindowMinutes * MINUTE_MS + config.anomalyRateBaselineHours * HOUR_MS,
    // An exchange is found by the time of its request, which is up to an hour earlier.
    (config.anomalyFailureWindowHours + 1) * HOUR_MS,
    config.anomalyOffHoursWindowHours * HOUR_MS,
    2 * config.anomalyScanSeconds * 1000 + HOUR_MS,
  );
}

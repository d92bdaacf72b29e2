/** How many times shorter the intervals become: fifteen seconds become one. */
const FACTOR = 15;
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

const shorter = (amount: string, unit: string): string =>
  `${Math.max(1, Math.ceil((Number(amount) * SECONDS[unit as keyof typeof SECONDS]) / FACTOR))}s`;

/**
 * Sets the intervals in a configuration of Prometheus or Alertmanager to one second: scrapes, evaluation,
 * notifications.
 */
export const shortenIntervals = (text: string): string =>
  text.replace(
    /^( *(?:scrape_interval|scrape_timeout|evaluation_interval|group_wait|group_interval)): \d+[sm]$/gm,
    '$1: 1s',
  );

/** Shortens the windows, the `for` and the `keep_firing_for` of rules. Thresholds stay as they are, also those for ages. */
export const shortenRules = (text: string): string =>
  text
    .replace(/\[(\d+)([smhd])\]/g, (_all, amount, unit) => `[${shorter(amount, unit)}]`)
    .replace(
      /^( *(?:keep_firing_)?for): (\d+)([smhd])$/gm,
      (_all, key, amount, unit) => `${key}: ${shorter(amount, unit)}`,
    );

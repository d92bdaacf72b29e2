/** How many times faster a hurried stack is: what happens every fifteen seconds then happens every second. */
const FACTOR = 15;
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

const shorter = (amount: string, unit: string): string =>
  `${Math.max(1, Math.ceil((Number(amount) * SECONDS[unit as keyof typeof SECONDS]) / FACTOR))}s`;

/** Of the configuration of Prometheus or Alertmanager: looks, evaluates and tells every second. */
export const hurryIntervals = (text: string): string =>
  text.replace(
    /^( *(?:scrape_interval|scrape_timeout|evaluation_interval|group_wait|group_interval)): \d+[sm]$/gm,
    '$1: 1s',
  );

/** Of rules: windows, and how long something must last. Thresholds, and ages that are compared with one, stay as they are. */
export const hurryRules = (text: string): string =>
  text
    .replace(/\[(\d+)([smhd])\]/g, (_all, amount, unit) => `[${shorter(amount, unit)}]`)
    .replace(/^( *for): (\d+)([smhd])$/gm, (_all, key, amount, unit) => `${key}: ${shorter(amount, unit)}`);

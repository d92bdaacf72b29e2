import type { Config } from './config.ts';
import { isLoopback } from './loopback.ts';

/** Fewer characters than 128 bits have in hexadecimal. */
const STRONG_KEY_LENGTH = 32;

export interface StartWarning {
  /** The event name of its log line. */
  readonly msg: 'config.metrics_public' | 'config.seed_key_short';
  readonly reason: string;
}

/**
 * What an operator should know about a service that others than this machine can reach. Empty while HOST is a loopback
 * address. No text holds a secret.
 */
export function startWarnings(config: Config, { metricsShared }: { metricsShared: boolean }): StartWarning[] {
  if (isLoopback(config.host)) return [];
  const warnings: StartWarning[] = [];
  const short = [
    ['SEED_API_KEY', config.seedApiKey],
    ['SEED_SANDBOX_KEY', config.seedSandboxKey],
  ].flatMap(([name, key]) => (key && key.length < STRONG_KEY_LENGTH ? [name] : []));
  if (short.length > 0)
    warnings.push({
      msg: 'config.seed_key_short',
      reason: `HOST is public, and ${short.join(' and ')} is shorter than ${STRONG_KEY_LENGTH} characters: it can be guessed`,
    });
  if (config.metricsEnabled && metricsShared && config.metricsApiKey === null)
    warnings.push({
      msg: 'config.metrics_public',
      reason:
        'HOST is public, and /metrics shows the agents of all developers to everyone: set METRICS_PORT or METRICS_API_KEY',
    });
  return warnings;
}

import type { ObservableCallback } from '@opentelemetry/api';
import type { Instruments } from './instruments.ts';

/** What a replica knows of the signing keys. */
export interface SigningKeys {
  /** Keys that it publishes. */
  readonly published: number;
  /** Seconds since the signing key began to sign. null: there is no key, or its start was not recorded. */
  readonly signingFor: number | null;
  /** Seconds since the keys were last read; null: they are read once, at the start. */
  readonly readAgo: number | null;
}

/**
 * Feeds the three gauges of the signing keys. They are known in memory, so a scrape takes no look into the database. What is
 * not known yet is left out rather than reported as 0.
 */
export function observeSigningKeys(instruments: Instruments, read: () => SigningKeys): () => void {
  const { guard, signingKeys, signingKeyAge, signingKeysReadAge } = instruments;
  const observe = (pick: (keys: SigningKeys) => number | null): ObservableCallback => {
    return (result) =>
      guard.run(() => {
        const value = pick(read());
        if (value !== null) result.observe(value);
      });
  };
  const gauges = [
    [signingKeys, observe(({ published }) => published)],
    [signingKeyAge, observe(({ signingFor }) => signingFor)],
    [signingKeysReadAge, observe(({ readAgo }) => readAgo)],
  ] as const;
  for (const [gauge, callback] of gauges) gauge.addCallback(callback);
  return () => {
    for (const [gauge, callback] of gauges) gauge.removeCallback(callback);
  };
}

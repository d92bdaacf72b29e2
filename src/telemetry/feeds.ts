import type { ObservableCallback } from '@opentelemetry/api';
import { TRANSPORTS, type Transport } from '../label-values.ts';
import type { Instruments } from './instruments.ts';

/** What a replica knows of those who follow its feeds. */
export interface Feeds {
  clients(feed: 'revocations' | 'events', transport: Transport): number;
  /** Of the revocation feed. */
  lagSeconds(transport: Transport): number;
}

/** Feeds the three gauges of the feeds, which are known in memory. */
export function observeFeeds(instruments: Instruments, feeds: Feeds): () => void {
  const { guard, revocationFeedClients, eventStreamClients, revocationFeedLag } = instruments;
  const observe = (read: (transport: Transport) => number): ObservableCallback => {
    return (result) =>
      guard.run(() => {
        for (const transport of TRANSPORTS) result.observe(read(transport), { transport });
      });
  };
  const gauges = [
    [revocationFeedClients, observe((transport) => feeds.clients('revocations', transport))],
    [eventStreamClients, observe((transport) => feeds.clients('events', transport))],
    [revocationFeedLag, observe(feeds.lagSeconds)],
  ] as const;
  for (const [gauge, callback] of gauges) gauge.addCallback(callback);
  return () => {
    for (const [gauge, callback] of gauges) gauge.removeCallback(callback);
  };
}

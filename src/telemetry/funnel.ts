import type { Decision } from '../label-values.ts';
import type { Instruments } from './instruments.ts';

export interface FunnelEvents {
  /** Requests for authorization have expired, and that they are counted is committed. Only a metric. */
  requestsExpired(event: { readonly undecided: number; readonly unused: number }): void;
}

/**
 * The ends of requests for authorization. Those that end in a request of somebody are counted with its event; the others
 * expire.
 */
export function createFunnel({ guard, requestsEnded, consentWait }: Instruments) {
  const events: FunnelEvents = {
    requestsExpired({ undecided, unused }) {
      guard.run(() => requestsEnded.add(undecided, { end: 'expired_undecided' }));
      guard.run(() => requestsEnded.add(unused, { end: 'expired_unused' }));
    },
  };
  return {
    ...events,
    requestEnded: (end: 'exchanged' | 'denied' | 'policy_denied') => requestsEnded.add(1, { end }),
    waited: (seconds: number, decision: Decision) => consentWait.record(seconds, { decision }),
  };
}

import type { ErrorCode } from '../errors.ts';
import type { Instruments } from './instruments.ts';

export type AttemptKind = 'authorize' | 'token_exchange' | 'token_refresh';

/** How an attempt ended. */
interface AttemptEnd {
  /** HTTP status of the answer. */
  readonly status: number;
  readonly code?: ErrorCode | undefined;
  /** Only of an agent that is known to exist: the per-agent series are bounded by what callers cannot invent. */
  readonly agentId?: string | undefined;
}

export interface Attempts {
  /**
   * Begins to measure an attempt; the returned function ends it. Ending counts one attempt and, where the kind has one,
   * records its duration in seconds. A second ending does nothing. Neither ever throws.
   */
  start(kind: AttemptKind): (end: AttemptEnd) => void;
}

type Outcome = 'success' | 'denied' | 'error';
type OfAgent = { readonly agent_id?: string };

/** Only an authorization can be denied. */
const orError = (status: Outcome) => (status === 'denied' ? 'error' : status);

/**
 * The one place where attempts are counted and timed (telemetry contract, "The ten metrics of the seed"). `now` is a
 * monotonic clock in milliseconds.
 */
export function createAttempts(
  instruments: Instruments,
  now: () => number = () => performance.now(),
): Attempts {
  const { authorizations, authorizeDuration, tokenExchanges, tokenExchangeDuration, tokenRefreshes } =
    instruments;
  const count: Record<AttemptKind, (status: Outcome, agent: OfAgent) => void> = {
    authorize: (status, agent) => authorizations.add(1, { status, ...agent }),
    token_exchange: (status, agent) => tokenExchanges.add(1, { status: orError(status), ...agent }),
    token_refresh: (status) => tokenRefreshes.add(1, { status: orError(status) }),
  };

  return {
    start(kind) {
      const begun = now();
      let ended = false;
      return (end) => {
        if (ended) return;
        ended = true;
        const status = outcomeOf(kind, end);
        if (status === null) return;
        const seconds = (now() - begun) / 1000;
        const agent: OfAgent = end.agentId === undefined ? {} : { agent_id: end.agentId };
        instruments.guard.run(() => count[kind](status, agent));
        if (kind === 'authorize') instruments.guard.run(() => authorizeDuration.record(seconds, agent));
        else if (kind === 'token_exchange')
          instruments.guard.run(() => tokenExchangeDuration.record(seconds));
      };
    },
  };
}

/** null: not an attempt. A caller without a key, or over its limit, says nothing about how well the service works. */
function outcomeOf(kind: AttemptKind, { status, code }: AttemptEnd): Outcome | null {
  if (status === 401 || status === 429) return null;
  if (status >= 200 && status < 300) return 'success';
  return kind === 'authorize' && code === 'POLICY_DENIED' ? 'denied' : 'error';
}

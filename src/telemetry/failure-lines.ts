import type { AuthenticationReason, Credential } from '../label-values.ts';
import { outsideRequests } from '../request-scope.ts';

/** A request that was refused with 401. */
export interface AuthenticationFailure {
  readonly credential: Credential;
  readonly reason: AuthenticationReason;
  /** The address it came from. */
  readonly ip: string;
  /** The template of the route. */
  readonly route: string;
}

/** `suppressed`: failures before this one, from the same network, that have no line. */
export type FailureLine<F = AuthenticationFailure> = F & { readonly suppressed: number };

export interface FailureLines<F = AuthenticationFailure> {
  /**
   * Tells of a failure, at once or with the next line of its network.
   * @param network what counts as one address: an IPv4 address or an IPv6 network
   */
  tell(network: string, failure: F): void;
  /** Writes what is not yet told. */
  flush(): void;
}

interface Quiet<F> {
  readonly until: number;
  /** The latest failure that has no line. */
  last: F | null;
  untold: number;
}

const QUIET_MS = 10_000;
const MAX_NETWORKS = 10_000;
/** Stands for all networks beyond those that are remembered. */
const OTHERS = 'others';

/**
 * Log lines of refusals, such as failed authentications. A flood cannot make many lines, and every refusal is in one of them.
 * After a line, its network is quiet for ten seconds. What comes meanwhile is counted, and told by one line at the end, whether or
 * not more comes. At most ten thousand networks are remembered; those beyond share one line.
 */
export function createFailureLines<F extends { readonly ip: string } = AuthenticationFailure>(
  write: (line: FailureLine<F>) => void,
  { maxNetworks = MAX_NETWORKS }: { readonly maxNetworks?: number } = {},
): FailureLines<F> {
  // All wait equally long, so the first entry is always the first to end.
  const quiet = new Map<string, Quiet<F>>();
  let timer: NodeJS.Timeout | undefined;

  const begin = (key: string) => {
    quiet.set(key, { until: performance.now() + QUIET_MS, last: null, untold: 0 });
    timer ??= outsideRequests(() => setTimeout(onTimer, QUIET_MS)).unref();
  };
  const lineOf = (key: string, failure: F, suppressed: number): FailureLine<F> => ({
    ...failure,
    ip: key === OTHERS ? OTHERS : failure.ip,
    suppressed,
  });
  const tellRest = (key: string, { last, untold }: Quiet<F>): boolean => {
    if (last) outsideRequests(() => write(lineOf(key, last, untold - 1)));
    return last !== null;
  };
  const endQuiet = (now: number) => {
    for (const [key, entry] of quiet) {
      if (entry.until > now) return;
      quiet.delete(key);
      if (tellRest(key, entry)) begin(key);
    }
  };
  const onTimer = () => {
    timer = undefined;
    const now = performance.now();
    endQuiet(now);
    const [next] = quiet.values();
    if (next) timer ??= outsideRequests(() => setTimeout(onTimer, Math.max(1, next.until - now))).unref();
  };

  return {
    tell(network, failure) {
      endQuiet(performance.now());
      const key = quiet.has(network) || quiet.size < maxNetworks ? network : OTHERS;
      const entry = quiet.get(key);
      if (entry) {
        entry.last = failure;
        entry.untold += 1;
        return;
      }
      begin(key);
      write(lineOf(key, failure, 0));
    },
    flush() {
      clearTimeout(timer);
      timer = undefined;
      for (const [key, entry] of quiet) tellRest(key, entry);
      quiet.clear();
    },
  };
}

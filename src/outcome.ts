import type { ServiceError } from './errors.ts';
import type { RefusalReason } from './label-values.ts';

/**
 * The result of a use case. A refusal that callers must expect is a value. Exceptions are for unexpected failures, and for
 * a database that does not answer.
 */
export type Outcome<T> = Done<T> | Refused;

interface OfAgent {
  /** The agent that the request names, once it is known to belong to the caller. The attempt is counted for it. */
  readonly agentId?: string | undefined;
  /** Why the answer is a refusal, for telemetry: callers who guess learn nothing of it. */
  readonly reason?: RefusalReason;
}

export interface Done<T> extends OfAgent {
  readonly value: T;
}

export interface Refused extends OfAgent {
  readonly refusal: ServiceError;
}

export const done = <T>(value: T, agentId?: string): Done<T> => ({ value, agentId });

export const refuse = (refusal: ServiceError, agentId?: string): Refused => ({ refusal, agentId });

/** The same, with the reason that telemetry tells. */
export const refuseFor = (reason: RefusalReason, refusal: ServiceError, agentId?: string): Refused => ({
  refusal,
  agentId,
  reason,
});

export const isRefused = (result: unknown): result is Refused =>
  typeof result === 'object' && result !== null && 'refusal' in result;

/** The same outcome with another value; a refusal stays as it is. */
export const mapOutcome = <T, U>(outcome: Outcome<T>, change: (value: T) => U): Outcome<U> =>
  isRefused(outcome) ? outcome : { ...outcome, value: change(outcome.value) };

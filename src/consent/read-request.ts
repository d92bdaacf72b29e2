import type { Deps } from '../deps.ts';
import { notFound, ServiceError } from '../errors.ts';
import type { RefusalReason } from '../label-values.ts';
import { done, isRefused, type Outcome, refuseFor } from '../outcome.ts';
import { type ConsentRequest, consentRequest } from './store.ts';

/** The refusal of a request that no longer accepts a decision. */
const gone = () => new ServiceError('GONE', 'The request has expired or was decided');

/** The state of a request behind its link. */
export type RequestState = 'unknown' | 'decided' | 'expired' | ConsentRequest;

const REASONS = {
  unknown: 'unknown_request',
  decided: 'already_decided',
  expired: 'request_expired',
} as const satisfies Record<string, RefusalReason>;

/** The refusal of a request in this state. */
export const refusalOf = (state: keyof typeof REASONS) =>
  refuseFor(REASONS[state], state === 'unknown' ? notFound('Consent request') : gone());

const nothing = (state: keyof typeof REASONS): Outcome<RequestState> => ({
  value: state,
  reason: REASONS[state],
});

/** A request that waits for a decision, or the reason why there is nothing to decide. */
export async function requestState(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  _caller: null,
  id: string,
): Promise<Outcome<RequestState>> {
  const request = await consentRequest(db, id);
  if (!request) return nothing('unknown');
  if (request.decided) return nothing('decided');
  return request.expiresAt.getTime() <= clock.now() ? nothing('expired') : done(request);
}

/**
 * A request that waits for a decision. NOT_FOUND for an unknown request, GONE for one that has expired or was decided.
 */
export async function pendingRequest(
  deps: Pick<Deps, 'db' | 'clock'>,
  caller: null,
  id: string,
): Promise<Outcome<ConsentRequest>> {
  const state = await requestState(deps, caller, id);
  if (isRefused(state)) return state;
  return typeof state.value === 'string' ? refusalOf(state.value) : done(state.value);
}

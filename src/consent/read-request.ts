import type { Deps } from '../deps.ts';
import { notFound, ServiceError } from '../errors.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { type ConsentRequest, consentRequest } from './store.ts';

/** The refusal of a request that no longer accepts a decision. */
export const gone = () => new ServiceError('GONE', 'The request has expired or was decided');

/** The state of a request behind its link. */
export type RequestState = 'unknown' | 'decided' | 'expired' | ConsentRequest;

/** A request that waits for a decision, or the reason why there is nothing to decide. */
export async function requestState(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  _caller: null,
  id: string,
): Promise<Outcome<RequestState>> {
  const request = await consentRequest(db, id);
  if (!request) return done('unknown');
  if (request.decided) return done('decided');
  return done(request.expiresAt.getTime() <= clock.now() ? 'expired' : request);
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
  if (state.value === 'unknown') return refuse(notFound('Consent request'));
  return typeof state.value === 'string' ? refuse(gone()) : done(state.value);
}

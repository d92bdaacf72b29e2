import { asServiceError, unauthorized } from '../errors.ts';
import { type Outcome, refuse } from '../outcome.ts';
import { requestScope } from '../request-scope.ts';

/** The caller part of a statement that looks up the API key along with its own work (access `joined`). */
interface FoundCaller {
  /** null: no developer has the key. */
  readonly developerId: string | null;
  /** The agent of the developer that the request names; null or absent: it names none. */
  readonly agentId?: string | null;
}

/** Continues for a developer with a known key; UNAUTHORIZED otherwise. From here on, a failure counts for the agent. */
export async function whenKnown<F extends FoundCaller, T>(
  found: F,
  goOn: (found: F & { readonly developerId: string }) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const { developerId, agentId } = found;
  if (developerId === null) return refuse(unauthorized());
  const scope = requestScope();
  if (scope) scope.callerId = developerId;
  try {
    return await goOn({ ...found, developerId });
  } catch (error) {
    return refuse(asServiceError(error), agentId ?? undefined);
  }
}

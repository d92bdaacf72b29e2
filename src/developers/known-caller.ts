import { asServiceError, unauthorized } from '../errors.ts';
import { type Outcome, refuse } from '../outcome.ts';

/** What a statement found that looks up the caller's key along with its own work (access `joined`). */
interface FoundCaller {
  /** null: no developer has the key. */
  readonly developerId: string | null;
  /** The developer's agent that the request names; null or absent: it names none. */
  readonly agentId?: string | null;
}

/**
 * Goes on for a developer whose key is known; UNAUTHORIZED otherwise. When the work fails from here on, the failure still
 * counts for the agent.
 */
export async function whenKnown<F extends FoundCaller, T>(
  found: F,
  goOn: (found: F & { readonly developerId: string }) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const { developerId, agentId } = found;
  if (developerId === null) return refuse(unauthorized());
  try {
    return await goOn({ ...found, developerId });
  } catch (error) {
    return refuse(asServiceError(error), agentId ?? undefined);
  }
}

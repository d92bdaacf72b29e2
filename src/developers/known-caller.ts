import { unauthorized } from '../errors.ts';
import { type Outcome, refuse } from '../outcome.ts';

/** What a statement found that looks up the caller's key along with its own work (access `joined`). */
interface FoundCaller {
  /** null: no developer has the key. */
  readonly developerId: string | null;
}

/** Goes on for a developer whose key is known; UNAUTHORIZED otherwise. */
export async function whenKnown<F extends FoundCaller, T>(
  found: F,
  goOn: (found: F & { readonly developerId: string }) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const { developerId } = found;
  return developerId === null ? refuse(unauthorized()) : goOn({ ...found, developerId });
}

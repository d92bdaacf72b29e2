import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound, ServiceError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { newApiKey, prefixOf } from './api-keys.ts';
import { type ApiKey, insertKey, listKeys, lockKeysOf, removeKey } from './keys-store.ts';

/** How many keys of one developer may work at the same time. */
export const MAX_KEYS = 100;
export const tooManyKeys = () => new ServiceError('CONFLICT', `A developer has at most ${MAX_KEYS} API keys`);

type Caller = Pick<Developer, 'id' | 'mode'>;
type KeyDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>;

/** All keys of a developer, oldest first, expired ones included. */
export const ownKeys = async ({ db }: Pick<Deps, 'db'>, { id }: Caller): Promise<Outcome<ApiKey[]>> =>
  done(await listKeys(db, id));

/**
 * Makes a further API key. Its text is shown only once and stored as a hash. CONFLICT when the developer has `MAX_KEYS`.
 * @param input `seconds`: how long the key lives; null: until it is removed
 */
export async function createKey(
  { db, ids, clock, telemetry }: KeyDeps,
  { id: developerId, mode }: Caller,
  input: { readonly name: string; readonly seconds: number | null },
): Promise<Outcome<ApiKey & { readonly apiKey: string }>> {
  const apiKey = newApiKey(ids, mode);
  const key = await db.transaction(async (tx) => {
    await lockKeysOf(tx, developerId);
    return insertKey(tx, {
      ...input,
      developerId,
      id: ids.next('key', clock.now()),
      hash: sha256(apiKey),
      prefix: prefixOf(apiKey),
      limit: MAX_KEYS,
    });
  });
  if (!key) return refuse(tooManyKeys());
  telemetry.events.adminChanged({ object: 'key', change: 'created', developerId, keyId: key.id });
  return done({ ...key, apiKey });
}

/**
 * Removes an API key. It stops working at the commit, on every replica. NOT_FOUND for an unknown key or another developer's.
 * CONFLICT for the last usable one: of two deletions of the last two keys at the same moment, one is refused.
 */
export async function deleteKey(
  { db, telemetry }: KeyDeps,
  { id: developerId }: Caller,
  id: string,
): Promise<Outcome<null>> {
  const { found, removed } = await db.transaction(async (tx) => {
    await lockKeysOf(tx, developerId);
    return removeKey(tx, { developerId, id });
  });
  if (!found) return refuse(notFound('API key'));
  if (!removed) return refuse(new ServiceError('CONFLICT', 'The last usable API key cannot be removed'));
  telemetry.events.adminChanged({ object: 'key', change: 'deleted', developerId, keyId: id });
  return done(null);
}

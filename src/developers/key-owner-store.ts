// The part of a statement that looks up the caller by its API key. Statements of other rooms look it up along with their work.

/** SQL: whether a row of `api_keys` opens anything now. The clock is that of the database, so that all replicas agree. */
export const USABLE = '(api_keys.expires_at is null or api_keys.expires_at > now())';

const SUSPENDED =
  'select from developers where developers.id = api_keys.developer_id and suspended_at is not null';

/**
 * SQL: the developer `(id)` of a key that has not expired; no row for any other key, and for a key of a suspended developer.
 * @param hash an expression for the SHA-256 of the key
 */
export const ownerOfKey = (hash: string): string =>
  `select developer_id as id from api_keys where hash = ${hash} and ${USABLE} and not exists (${SUSPENDED}) limit 1`;

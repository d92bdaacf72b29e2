// The part of a statement that looks up the caller by its API key. Statements of other rooms look it up along with their work.

/**
 * SQL: the developer `(id)` of a key; no row for an unknown key, and for a key of a suspended developer.
 * @param hash an expression for the SHA-256 of the key
 */
export const ownerOfKey = (hash: string): string =>
  `select id from developers where api_key_hash = ${hash} and suspended_at is null limit 1`;

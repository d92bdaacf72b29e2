import { bool, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

const collection = 'revoked_signing_keys';

// An update that waits for another's finds the column set: of replicas that learn at once, each key falls to one.
const read = query({
  operation: 'SELECT',
  collection,
  name: 'keys.revoked',
  text: `with counted as (
      update revoked_signing_keys set counted_at = $now where counted_at is null returning kid)
    select kid, exists (select from counted where counted.kid = revoked.kid) as counts
    from revoked_signing_keys revoked order by revoked_at, kid`,
  params: { now: timestamp },
  row: { kid: text, counts: bool },
});

/** A key that was revoked. `counts`: this replica is the one that counts it. */
export interface RevokedKey {
  readonly kid: string;
  readonly counts: boolean;
}

/** All keys that were ever revoked, oldest first. The caller counts those that fall to it. */
export const readRevokedKeys = (db: Queryable, now: Date): Promise<RevokedKey[]> => db.all(read, { now });

const list = query({
  operation: 'SELECT',
  collection,
  name: 'keys.list_revoked',
  text: 'select kid, revoked_at as "revokedAt" from revoked_signing_keys order by revoked_at, kid',
  params: {},
  row: { kid: text, revokedAt: timestamp },
});

/** The same, with the times, and without counting any. */
export const listRevokedKeys = (
  db: Queryable,
): Promise<{ readonly kid: string; readonly revokedAt: Date }[]> => db.all(list, {});

const note = query({
  operation: 'INSERT',
  collection,
  name: 'keys.note_revoked',
  text: `insert into revoked_signing_keys (kid, revoked_at) values ($kid, $now) on conflict do nothing
    returning kid`,
  params: { kid: text, now: timestamp },
  row: { kid: text },
});
// Its private half opens nothing any more, and is forgotten. Replicas of every release leave it out when they next read the keys.
const withdraw = query({
  operation: 'UPDATE',
  collection: 'signing_keys',
  name: 'keys.withdraw',
  text: `update signing_keys set published_until = least(published_until, $now), sealed_private = ''
    where kid = $kid returning kid`,
  params: { kid: text, now: timestamp },
  row: { kid: text },
});

/**
 * Revokes a key for ever, and takes it out of the published ones. The caller must hold the lock of the table.
 * @returns `known` false: the database has no such key; `fresh` false: it was revoked earlier
 */
export async function revokeKeyRow(
  tx: Queryable,
  key: { readonly kid: string; readonly now: Date },
): Promise<{ readonly known: boolean; readonly fresh: boolean }> {
  const known = (await tx.first(withdraw, key)) !== undefined;
  return { known, fresh: (await tx.first(note, key)) !== undefined };
}

const promote = query({
  operation: 'UPDATE',
  collection: 'signing_keys',
  name: 'keys.promote',
  text: 'update signing_keys set signs_from = $signsFrom where kid = $kid',
  params: { kid: text, signsFrom: timestamp },
  row: {},
});

/** Lets a key that waits sign from `signsFrom`. */
export async function promoteKey(
  tx: Queryable,
  key: { readonly kid: string; readonly signsFrom: Date },
): Promise<void> {
  await tx.all(promote, key);
}

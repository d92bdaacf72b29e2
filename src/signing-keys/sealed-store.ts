import { bytes, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { SealedText } from '../secrets/reseal.ts';

const collection = 'signing_keys';
const list = query({
  operation: 'SELECT',
  collection,
  name: 'keys.sealed',
  text: `select kid, sealed_private as sealed from signing_keys where sealed_private <> '' order by kid`,
  params: {},
  row: { kid: text, sealed: bytes },
});
const replace = query({
  operation: 'UPDATE',
  collection,
  name: 'keys.replace_sealed',
  text: 'update signing_keys set sealed_private = $sealed where kid = $kid and sealed_private = $before',
  params: { kid: text, sealed: bytes, before: bytes },
  row: {},
});

/** The private halves of all keys; there are few. */
export async function* sealedPrivateKeys(db: Queryable): AsyncGenerator<SealedText[]> {
  const rows = await db.all(list, {});
  yield rows.map(({ kid, sealed: before }) => ({
    name: `signing key ${kid}`,
    purpose: kid,
    sealed: before,
    replace: async (sealed) => void (await db.all(replace, { kid, sealed, before })),
  }));
}

import { bigint, bytes, orNull, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { SealedText } from '../secrets/reseal.ts';

const ROWS_AT_ONCE = 200;
const collection = 'webhooks';
const some = query({
  operation: 'SELECT',
  collection,
  name: 'webhooks.sealed',
  text: `select id, sealed_secret as sealed, previous_sealed_secret as previous from webhooks
    where id > $after order by id limit $limit`,
  params: { after: text, limit: bigint },
  row: { id: text, sealed: bytes, previous: orNull(bytes) },
});
const replace = query({
  operation: 'UPDATE',
  collection,
  name: 'webhooks.replace_sealed',
  // By its bytes, which no other secret has: a rotation may have made the current secret the previous one meanwhile.
  text: `update webhooks
    set sealed_secret = case when sealed_secret = $before then $sealed else sealed_secret end,
      previous_sealed_secret =
        case when previous_sealed_secret = $before then $sealed else previous_sealed_secret end
    where id = $id and $before in (sealed_secret, previous_sealed_secret)`,
  params: { id: text, sealed: bytes, before: bytes },
  row: {},
});

/**
 * The secrets of all webhooks, previous ones included, some at a time.
 * @param purposeOf what the secret of a webhook is sealed for
 */
export async function* sealedSecrets(
  db: Queryable,
  purposeOf: (webhookId: string) => string,
): AsyncGenerator<SealedText[]> {
  for (let after = ''; ; ) {
    const rows = await db.all(some, { after, limit: ROWS_AT_ONCE });
    const last = rows.at(-1);
    if (!last) return;
    after = last.id;
    yield rows.flatMap(({ id, sealed, previous }) => {
      const sealedText = (name: string, before: Buffer): SealedText => ({
        name: `${name} of webhook ${id}`,
        purpose: purposeOf(id),
        sealed: before,
        replace: async (sealed) => void (await db.all(replace, { id, sealed, before })),
      });
      return [sealedText('secret', sealed), ...(previous ? [sealedText('previous secret', previous)] : [])];
    });
  }
}

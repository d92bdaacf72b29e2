import { bigint, bytes, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { SealedText } from '../secrets/reseal.ts';

const ROWS_AT_ONCE = 200;
const collection = 'webhooks';
const some = query({
  operation: 'SELECT',
  collection,
  name: 'webhooks.sealed',
  text: 'select id, sealed_secret as sealed from webhooks where id > $after order by id limit $limit',
  params: { after: text, limit: bigint },
  row: { id: text, sealed: bytes },
});
const replace = query({
  operation: 'UPDATE',
  collection,
  name: 'webhooks.replace_sealed',
  text: 'update webhooks set sealed_secret = $sealed where id = $id and sealed_secret = $before',
  params: { id: text, sealed: bytes, before: bytes },
  row: {},
});

/**
 * The secrets of all webhooks, some at a time.
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
    yield rows.map(({ id, sealed: before }) => ({
      name: `secret of webhook ${id}`,
      purpose: purposeOf(id),
      sealed: before,
      replace: async (sealed) => void (await db.all(replace, { id, sealed, before })),
    }));
  }
}

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAsk } from '../../src/db/batch.ts';
import { rotateRefreshToken } from '../../src/tokens/refresh-store.ts';
import { newParty, type Party } from '../support/flow.ts';
import { queryableOf } from '../support/reconcile.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** What is asked in one turn of the event loop is one statement: that cannot be arranged from outside the service. */
const database = {
  ask: createAsk({ all: (query, values) => queryableOf(service.database).all(query, values) }),
};

test.each(['first', 'last'])(
  'the retry of a refresh, %s in one statement with the use of the successor that it would replace',
  async (place) => {
    const { key, agentId } = party;
    const { refreshToken } = await party.grant();
    const { body } = await service.request('POST', '/v1/token/refresh', {
      key,
      body: { refreshToken, agentId },
      headers: { 'idempotency-key': 'once' },
    });
    const [row] = await service.database.sql`select kid from signing_keys limit 1`;
    const now = new Date();
    const claim = (token: string, idempotencyHash: Buffer | null, name: string) =>
      rotateRefreshToken(database, {
        keyHash: sha256(key),
        agentId,
        presentedHash: sha256(token),
        idempotencyHash,
        now,
        repeatableSince: new Date(now.getTime() - 300_000),
        jti: `tok_${name}_${place}`,
        kid: row?.['kid'],
        tokenSeconds: 3600,
        refreshHash: sha256(`${name} ${place}`),
        traceparent: null,
        maxAttempts: 5,
      });
    const retry = () => claim(refreshToken, sha256('once'), 'retry');
    const use = () => claim(body.refreshToken, null, 'use');
    const answers = await Promise.all(place === 'first' ? [retry(), use()] : [use(), retry()]);
    const [retried, used] = place === 'first' ? answers : answers.reverse();
    expect(retried?.grant?.grantId).toBe(body.grantId);
    // Whoever presents the successor a second time must be found out, so its use may not be lost.
    const [successor] = await service.database.sql`
      select used_at is not null as used, replaced_at is not null as replaced from refresh_tokens
      where hash = ${sha256(body.refreshToken)}`;
    const wasUsed = used?.grant !== null;
    expect(successor).toEqual({ used: wasUsed, replaced: !wasUsed });
  },
);

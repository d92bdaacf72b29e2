import { decodeJwt } from 'jose';
import type { TestDatabase } from '../support/database.ts';
import type { TokenPair } from '../support/flow.ts';
import { isGood, type Shot } from './traffic.ts';

/** The subject of the event about an issued token. */
export const issuedOf = ({ grantToken }: Pick<TokenPair, 'grantToken'>): string =>
  `token.issued ${decodeJwt(grantToken).jti}`;

/** The events that must exist for the grants and tokens of a whole database. It does not read the outbox. */
export async function subjectsOf({ sql }: Pick<TestDatabase, 'sql'>): Promise<string[]> {
  const rows = await sql<{ subject: string }[]>`
    select 'token.issued ' || jti as subject from tokens
    union all select 'grant.created ' || id from grants
    union all select 'grant.revoked ' || id from grants where status = 'revoked'`;
  return rows.map(({ subject }) => subject).sort();
}

/** The events that follow from the answers to callers. */
export function answeredEvents(shots: readonly Shot[]): string[] {
  return shots.filter(isGood).flatMap(({ kind, reply: { body }, grantId }) => {
    if (kind === 'revoke') return [`grant.revoked ${grantId}`];
    if (kind === 'refresh') return [issuedOf(body)];
    if (kind === 'exchange' || kind === 'delegate') return [issuedOf(body), `grant.created ${body.grantId}`];
    return [];
  });
}

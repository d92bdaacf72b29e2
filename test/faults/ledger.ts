import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import type postgres from 'postgres';
import { expect } from 'vitest';
import { readLedger } from '../../src/reconciliation/store.ts';
import { queryableOf } from '../support/reconcile.ts';
import type { Scrape } from '../support/scrape.ts';
import { isGood, isUnknown, type Kind, type Shot } from './traffic.ts';

/**
 * The longest time until an answer during any fault. The service promises three seconds by a timeout. The limit is
 * doubled for a busy machine. Without the timeout, a caller would wait until the end of the fault.
 */
export const ANSWER_MS = 6000;

const of = (shots: readonly Shot[], kind: Kind, is: (shot: Shot) => boolean) =>
  shots.filter((shot) => shot.kind === kind && is(shot));
const isRefused = ({ reply }: Shot) => reply.status === 503;

/** Every request was answered in time, with success or with a failure in the envelope of the contract. */
export function expectProperAnswers(shots: readonly Shot[]): void {
  expect(shots.filter(({ reply }) => reply.status === 0)).toEqual([]);
  expect(Math.max(...shots.map(({ reply }) => reply.ms))).toBeLessThan(ANSWER_MS);
  for (const { reply } of shots.filter((shot) => !isGood(shot))) {
    expect([
      [500, 'INTERNAL_ERROR'],
      [503, 'SERVICE_UNAVAILABLE'],
    ]).toContainEqual([reply.status, reply.body.code]);
    expect(Object.keys(reply.body).sort()).toEqual(['code', 'message', 'requestId']);
    expect(reply.body.requestId).toBe(reply.headers['x-request-id']);
  }
  // Each caller got the answer to its own request.
  for (const { reply, principalId, grantId } of of(shots, 'verify', isGood))
    expect(reply.body).toMatchObject({ valid: true, principal: principalId, grantId });
  for (const { reply, grantId } of of(shots, 'refresh', isGood)) expect(reply.body.grantId).toBe(grantId);
  for (const { reply, principalId } of of(shots, 'exchange', isGood))
    expect(decodeJwt(reply.body.grantToken)).toMatchObject({ sub: principalId, grnt: reply.body.grantId });
}

/** The database has everything that callers were told, completely. */
export async function expectAnswersStored(sql: postgres.Sql, shots: readonly Shot[]): Promise<void> {
  const pairs = (['exchange', 'refresh', 'delegate'] as const).flatMap((kind) => of(shots, kind, isGood));
  const jtis = pairs.map(({ reply }) => String(decodeJwt(reply.body.grantToken).jti));
  const hashes = pairs.map(({ reply }) => createHash('sha256').update(reply.body.refreshToken).digest('hex'));
  const grantIds = pairs.map(({ reply }) => String(reply.body.grantId));
  const principals = of(shots, 'authorize', isGood).map(({ principalId }) => principalId);
  const revoked = of(shots, 'revoke', isGood).map(({ grantId }) => grantId ?? '');
  const [missing] = await sql`select
    (select count(*)::int from unnest(${grantIds}::text[]) id where not exists (select from grants where grants.id = id.id))
      as grants,
    (select count(*)::int from unnest(${jtis}::text[]) id where not exists (select from tokens where jti = id.id)) as tokens,
    (select count(*)::int from unnest(${hashes}::text[]) id
      where not exists (select from refresh_tokens where hash = decode(id.id, 'hex'))) as refreshes,
    (select count(*)::int from unnest(${principals}::text[]) id
      where not exists (select from authorization_requests where principal_id = id.id)) as requests,
    (select count(*)::int from grants where root_grant_id = any(${revoked}) and status = 'active') as revocations`;
  expect(missing).toEqual({ grants: 0, tokens: 0, refreshes: 0, requests: 0, revocations: 0 });
}

/** No grant lacks its code, token or refresh token, and none of these lacks the grant. */
export async function expectNothingHalfMade(sql: postgres.Sql): Promise<void> {
  const [half] = await sql`select
    (select count(*)::int from grants where not exists (select from tokens where grant_id = grants.id)) as "noToken",
    (select count(*)::int from grants where not exists (select from refresh_tokens where grant_id = grants.id))
      as "noRefreshToken",
    (select count(*)::int from grants where parent_grant_id is null
      and not exists (select from authorization_requests where grant_id = grants.id and exchanged_at is not null)) as "noCode",
    (select count(*)::int from authorization_requests request where exchanged_at is not null
      and not exists (select from grants where grants.id = request.grant_id)) as "codeWithoutGrant",
    (select count(*)::int from refresh_tokens used where used_at is not null
      and not exists (select from refresh_tokens where predecessor = used.hash)) as "usedWithoutSuccessor",
    (select count(*)::int from grants child join grants parent on parent.id = child.parent_grant_id
      where parent.status = 'revoked' and child.status = 'active') as "liveChildren"`;
  expect(half).toEqual({
    noToken: 0,
    noRefreshToken: 0,
    noCode: 0,
    codeWithoutGrant: 0,
    usedWithoutSuccessor: 0,
    liveChildren: 0,
  });
}

/** 503 promises that nothing was committed, so the same request must succeed when it is sent again. */
export async function expectRefusedUndone(
  sql: postgres.Sql,
  shots: readonly Shot[],
  again: (shot: Shot) => Promise<number>,
): Promise<number> {
  const principals = of(shots, 'authorize', isRefused).map(({ principalId }) => principalId);
  const parents = of(shots, 'delegate', isRefused).map(({ grantId }) => grantId ?? '');
  const [done] = await sql`select
    (select count(*)::int from authorization_requests where principal_id = any(${principals})) as requests,
    (select count(*)::int from grants where parent_grant_id = any(${parents})) as delegations`;
  expect(done).toEqual({ requests: 0, delegations: 0 });
  const repeated = (['exchange', 'refresh', 'revoke'] as const).flatMap((kind) => of(shots, kind, isRefused));
  for (const shot of repeated)
    expect([shot.kind, await again(shot)]).toEqual([shot.kind, success[shot.kind]]);
  return repeated.length;
}
const success: Record<Kind, number> = {
  authorize: 201,
  exchange: 201,
  verify: 200,
  refresh: 201,
  delegate: 201,
  revoke: 204,
};

/** One line of the comparison between counters and rows. */
export interface Count {
  readonly what: string;
  /** The number of successes in answers to callers. */
  readonly answered: number;
  readonly counted: number;
  readonly rows: number;
  /** The number of requests whose outcome the caller does not know. */
  readonly unknown: number;
}

/**
 * Compares counters with rows. Everything counted exists, everything answered is counted, and rows without a count come
 * from requests with unknown outcome.
 */
export async function expectCountersExplained(
  sql: postgres.Sql,
  shots: readonly Shot[],
  scrape: Scrape,
): Promise<Count[]> {
  const revoking = of(shots, 'revoke', isUnknown).map(({ grantId }) => grantId ?? '');
  const rows = await readLedger(queryableOf({ sql }), { fullCount: true });
  const [fallen] = await sql`
    select count(*)::int as unsure from grants where status = 'revoked' and root_grant_id = any(${revoking})`;
  const answered = (kind: Kind) => of(shots, kind, isGood).length;
  const unknown = (kind: Kind) => of(shots, kind, isUnknown).length;
  const counted = (name: string, labels = {}) => scrape.value(`grantex_${name}_total`, labels) ?? -1;
  const status = { status: 'success' };
  const { consented, delegated, revoked } = rows;
  const counts: Count[] = [
    line('authorize', answered('authorize'), counted('authorize', status), rows.requested),
    line('token_exchange', answered('exchange'), counted('token_exchange', status), consented),
    line('token_refresh', answered('refresh'), counted('token_refresh', status), rows.refreshed),
  ].map((count, index) => ({
    ...count,
    unknown: unknown((['authorize', 'exchange', 'refresh'] as const)[index] ?? 'exchange'),
  }));
  const created = [
    {
      ...line('created consent', answered('exchange'), counted('grants_created', CONSENT), consented),
      unknown: unknown('exchange'),
    },
    {
      ...line('created delegation', answered('delegate'), counted('grants_created', DELEGATION), delegated),
      unknown: unknown('delegate'),
    },
  ];
  const revocations = {
    // Every answered revocation has at least one row. The delegated grants that it revokes add more rows.
    ...line('revoked', answered('revoke'), counted('grants_revoked'), revoked),
    unknown: Number(fallen?.['unsure']),
  };
  for (const { what, answered, counted, rows, unknown } of [...counts, ...created, revocations]) {
    const proper = {
      what,
      answeredCounted: answered <= counted,
      counted: counted <= rows,
      gap: rows - counted,
    };
    expect(proper).toEqual({ ...proper, answeredCounted: true, counted: true });
    expect(rows - counted, what).toBeLessThanOrEqual(unknown);
  }
  // The service counts an attempt when it answers.
  for (const { what, answered, counted } of counts) expect([what, counted]).toEqual([what, answered]);
  return [...counts, ...created, revocations];
}
const CONSENT = { origin: 'consent' };
const DELEGATION = { origin: 'delegation' };
const line = (what: string, answered: number, counted: number, rows: number) => ({
  what,
  answered,
  counted,
  rows,
});

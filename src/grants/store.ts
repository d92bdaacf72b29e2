import { boundedCount } from '../db/bounded-count.ts';
import { bigint, bool, int, orNull, smallint, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { hasRemoval, notRemoved, removedAt } from './removal-marks-store.ts';

export type GrantStatus = 'active' | 'revoked' | 'expired';

export interface Grant {
  readonly id: string;
  readonly agentId: string;
  readonly principalId: string;
  readonly developerId: string;
  readonly scopes: readonly string[];
  readonly status: GrantStatus;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly parentGrantId: string | null;
  readonly delegationDepth: number;
}

const REMOVED_AT = removedAt('grants', '$developerId');
/** An expired grant reads `expired` even though no job has updated its row; `$now` is the time of reading. */
const STATUS = `case when status = 'revoked' or ${REMOVED_AT} is not null then 'revoked' when expires_at <= $now then 'expired' else 'active' end`;
export const COLUMNS = `id, agent_id as "agentId", principal_id as "principalId", developer_id as "developerId", scopes,
  ${STATUS} as status, issued_at as "issuedAt", expires_at as "expiresAt", coalesce(revoked_at, ${REMOVED_AT}) as "revokedAt",
  parent_grant_id as "parentGrantId", delegation_depth as "delegationDepth"`;
export const grantRow = {
  id: text,
  agentId: text,
  principalId: text,
  developerId: text,
  scopes: texts,
  status: textOf<GrantStatus>(),
  issuedAt: timestamp,
  expiresAt: timestamp,
  revokedAt: orNull(timestamp),
  parentGrantId: orNull(text),
  delegationDepth: smallint,
};

const byId = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.by_id',
  text: `select ${COLUMNS} from grants where developer_id = $developerId and id = $id`,
  params: { developerId: text, id: text, now: timestamp },
  row: grantRow,
});

/** One grant; undefined when the developer has no such grant. `now` decides whether it reads `expired`. */
export const grantById = (
  db: Queryable,
  grant: { developerId: string; id: string; now: Date },
): Promise<Grant | undefined> => db.first(byId, grant);

export interface GrantFilter {
  readonly agentId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly status?: GrantStatus | undefined;
  /** Bounds of the time of issue, themselves included. */
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** The conditions of each status, as `STATUS` has them, in a form that an index can answer, where there is no removal. */
const HAS_STATUS: Readonly<Record<GrantStatus | 'any', string>> = {
  any: 'true',
  revoked: `status = 'revoked'`,
  active: `status = 'active' and expires_at > $now::timestamptz`,
  expired: `status = 'active' and expires_at <= $now::timestamptz`,
};

/**
 * What a removal leaves of them; null: the same. A grant that is dead by one is found among the revoked ones when its row says so, on their index.
 * A removal of everything that a list shows leaves what was issued after it: millions of dead grants before that are not read.
 * @param bits which filters the list has
 */
function leftOver(bits: number, status: GrantStatus | 'any'): string | null {
  if (status === 'any' || status === 'revoked') return null;
  const all = [
    'removals.developer_id = $developerId and finished_at is null and removals.grant_id is null',
    bits & 1 ? 'coalesce(removals.agent_id, $agentId) = $agentId' : 'removals.agent_id is null',
    bits & 2
      ? 'coalesce(removals.principal_id, $principalId) = $principalId'
      : 'removals.principal_id is null',
  ].join(' and ');
  return `issued_at > coalesce((select max(issued_by) from removals where ${all}), '-infinity')
      and ${notRemoved('grants', '$developerId')}`;
}

const filters = {
  developerId: text,
  agentId: orNull(text),
  principalId: orNull(text),
  since: orNull(timestamp),
  until: orNull(timestamp),
};
const now = { now: timestamp };

/** One text for each set of filters, so that each can use its own index. */
function filtered(bits: number, status: GrantStatus | 'any') {
  const conditions = [
    'developer_id = $developerId',
    bits & 1 ? 'agent_id = $agentId' : '$agentId::text is null',
    bits & 2 ? 'principal_id = $principalId' : '$principalId::text is null',
    HAS_STATUS[status],
    '($since::timestamptz is null or issued_at >= $since)',
    '($until::timestamptz is null or issued_at <= $until)',
  ].join(' and ');
  const leaves = leftOver(bits, status);
  const left = leaves && `${conditions} and ${leaves}`;
  const name = status === 'any' ? `${bits}` : `${bits}_${status}`;
  // Where the status does not need the time, the condition is there for its parameter.
  const count = (of: string) => boundedCount(`grants where ${of} and $now::timestamptz is not null`);
  const page = (of: string) => `select ${COLUMNS} from grants where ${of}
        order by issued_at desc, id desc limit $limit offset $offset`;
  const removal = hasRemoval('$developerId');
  // Of two statements only one is run. Each is planned by itself, so that removals leave the usual plan as it is.
  return {
    page: query({
      operation: 'SELECT',
      collection: 'grants',
      name: `grants.page_${name}`,
      text:
        left === null
          ? page(conditions)
          : `select * from ((${page(`not ${removal} and ${conditions}`)})
        union all (${page(`${removal} and ${left}`)})) as page order by "issuedAt" desc, id desc`,
      params: { ...filters, ...now, limit: bigint, offset: bigint },
      row: grantRow,
    }),
    count: query({
      operation: 'SELECT',
      collection: 'grants',
      name: `grants.count_${name}`,
      text:
        left === null
          ? count(conditions)
          : `select case when ${removal} then (${count(left)}) else (${count(conditions)}) end as total`,
      params: { ...filters, ...now },
      row: { total: int },
    }),
  };
}
const FILTERED = [0, 1, 2, 3].map((bits) => ({
  any: filtered(bits, 'any'),
  active: filtered(bits, 'active'),
  revoked: filtered(bits, 'revoked'),
  expired: filtered(bits, 'expired'),
}));

/** Newest first. */
export async function listGrants(
  db: Queryable,
  developerId: string,
  filter: GrantFilter,
  { limit, offset }: { limit: number; offset: number },
  now: Date,
): Promise<{ grants: Grant[]; total: number }> {
  const { agentId = null, principalId = null, status = 'any', since = null, until = null } = filter;
  const queries = FILTERED[(agentId === null ? 0 : 1) + (principalId === null ? 0 : 2)]?.[status];
  if (!queries) throw new Error('no such set of filters');
  const values = { developerId, now, agentId, principalId, since, until };
  const [grants, { total }] = await Promise.all([
    db.all(queries.page, { ...values, limit, offset }),
    db.only(queries.count, values),
  ]);
  return { grants, total };
}

/** A grant with the details that its principal needs to recognise it. */
export interface PrincipalGrant extends Grant {
  readonly agentName: string;
  readonly agentDescription: string;
  /** When the service last issued a token of the grant. */
  readonly lastUsedAt: Date | null;
}

// Each token is issued together with a refresh token, whose row has the time. When those rows go, the grant keeps it. The details
// are looked up for the rows of the page alone, not for those that it skips.
const ofPrincipal = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.of_principal',
  text: `select page.*, agents.name as "agentName", agents.description as "agentDescription",
      greatest((select last_used_at from grants where grants.id = page.id), (
        select max(refresh_tokens.issued_at) from refresh_tokens where refresh_tokens.grant_id = page.id)) as "lastUsedAt"
    from (
      select ${COLUMNS} from grants where developer_id = $developerId and principal_id = $principalId
      order by ${STATUS} = 'active' desc, grants.issued_at desc, id desc limit $limit offset $offset) as page
    join agents on agents.id = page."agentId"
    order by page.status = 'active' desc, page."issuedAt" desc, page.id desc`,
  params: { developerId: text, principalId: text, now: timestamp, limit: bigint, offset: bigint },
  row: { ...grantRow, agentName: text, agentDescription: text, lastUsedAt: orNull(timestamp) },
});
const countOfPrincipal = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.count_of_principal',
  text: boundedCount('grants where developer_id = $developerId and principal_id = $principalId'),
  params: { developerId: text, principalId: text },
  row: { total: int },
});

/** Active grants come first, then the newest. */
export async function listGrantsOfPrincipal(
  db: Queryable,
  { developerId, principalId }: { developerId: string; principalId: string },
  { limit, offset }: { limit: number; offset: number },
  now: Date,
): Promise<{ grants: PrincipalGrant[]; total: number }> {
  const [grants, { total }] = await Promise.all([
    db.all(ofPrincipal, { developerId, principalId, now, limit, offset }),
    db.only(countOfPrincipal, { developerId, principalId }),
  ]);
  return { grants, total };
}

const ofToken = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.of_token',
  text: `select grants.id as "grantId", grants.status = 'revoked' or tokens.revoked_at is not null
        or ${removedAt('grants', '$developerId')} is not null as revoked,
      agents.status = 'suspended' as "agentSuspended",
      least(grants.expires_at, tokens.expires_at) as "expiresAt"
    from tokens join grants on grants.id = tokens.grant_id join agents on agents.id = grants.agent_id
    where tokens.jti = $jti and grants.developer_id = $developerId`,
  params: { developerId: text, jti: text },
  row: { grantId: text, revoked: bool, agentSuspended: bool, expiresAt: timestamp },
});

/** The state of the grant that a token belongs to; undefined when the developer has no such token. */
export const grantOfToken = (
  db: Queryable,
  token: { developerId: string; jti: string },
): Promise<{ grantId: string; revoked: boolean; agentSuspended: boolean; expiresAt: Date } | undefined> =>
  db.first(ofToken, token);

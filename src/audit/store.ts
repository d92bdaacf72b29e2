import type { Queryable } from '../db/queryable.ts';
import { countOf } from '../db/count.ts';
import { describeStatement } from '../telemetry/database.ts';
import type { AuditStatus } from './chain.ts';

export interface AuditRow {
  readonly id: string;
  readonly developerId: string;
  readonly agentId: string;
  readonly agentDid: string;
  readonly grantId: string;
  readonly principalId: string;
  readonly action: string;
  readonly status: AuditStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly hash: string;
  readonly prevHash: string | null;
}

const COLUMNS = `id, developer_id as "developerId", agent_id as "agentId", agent_did as "agentDid", grant_id as "grantId",
  principal_id as "principalId", action, status, metadata, created_at as "createdAt", hash, prev_hash as "prevHash"`;

// The insert makes the row the first time; either way the row is locked until the transaction ends, and the next writer
// reads the hash that this one leaves behind.
const lockHead = describeStatement({
  operation: 'INSERT',
  collection: 'audit_heads',
  name: 'audit.lock_head',
  text: `insert into audit_heads (developer_id, hash) values ($1, null)
    on conflict (developer_id) do update set developer_id = excluded.developer_id returning hash`,
});
const named = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'audit.named_agent_and_grant',
  text: `select grants.principal_id as "principalId" from agents join grants on grants.developer_id = agents.developer_id
    where agents.developer_id = $1 and agents.id = $2 and grants.id = $3`,
});
const append = describeStatement({
  operation: 'INSERT',
  collection: 'audit_entries',
  name: 'audit.append',
  text: `with head as (update audit_heads set hash = $11 where developer_id = $2)
    insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
});

/** Locks the end of a developer's chain until the transaction ends. @returns the last entry's hash, null for none */
export async function lockChain(tx: Queryable, developerId: string): Promise<string | null> {
  const [head] = await tx.rows<{ hash: string | null }>(lockHead, [developerId]);
  return head?.hash ?? null;
}

/** The principal of a grant, when both the agent and the grant are the developer's. */
export async function principalOf(
  db: Queryable,
  developerId: string,
  agentId: string,
  grantId: string,
): Promise<string | undefined> {
  const [row] = await db.rows<{ principalId: string }>(named, [developerId, agentId, grantId]);
  return row?.principalId;
}

/** Appends an entry and moves the end of the chain to it, in one statement. The chain must be locked. */
export async function appendEntry(tx: Queryable, row: AuditRow): Promise<void> {
  await tx.rows(append, [
    row.id,
    row.developerId,
    row.agentId,
    row.agentDid,
    row.grantId,
    row.principalId,
    row.action,
    row.status,
    row.metadata,
    row.createdAt,
    row.hash,
    row.prevHash,
  ]);
}

const byId = describeStatement({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.by_id',
  text: `select ${COLUMNS} from audit_entries where developer_id = $1 and id = $2`,
});

/** Undefined when the developer has no such entry. */
export async function auditEntry(
  db: Queryable,
  developerId: string,
  id: string,
): Promise<AuditRow | undefined> {
  const [row] = await db.rows<AuditRow>(byId, [developerId, id]);
  return row;
}

export interface AuditFilter {
  readonly agentId?: string | undefined;
  readonly grantId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly action?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** One text for each set of filters that have an index, so that each can use its own. */
const FILTERS = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => {
  const conditions = [
    'developer_id = $1',
    bits & 1 ? 'agent_id = $2' : '$2::text is null',
    bits & 2 ? 'grant_id = $3' : '$3::text is null',
    bits & 4 ? 'principal_id = $4' : '$4::text is null',
    '($5::text is null or action = $5)',
    '($6::timestamptz is null or created_at >= $6)',
    '($7::timestamptz is null or created_at <= $7)',
  ].join(' and ');
  return {
    page: describeStatement({
      operation: 'SELECT',
      collection: 'audit_entries',
      name: `audit.page_${bits}`,
      text: `select ${COLUMNS} from audit_entries where ${conditions} order by seq desc limit $8 offset $9`,
    }),
    count: describeStatement({
      operation: 'SELECT',
      collection: 'audit_entries',
      name: `audit.count_${bits}`,
      text: `select count(*)::int as total from audit_entries where ${conditions}`,
    }),
  };
});

/** Newest first. */
export async function entriesPage(
  db: Queryable,
  developerId: string,
  filter: AuditFilter,
  { limit, offset }: { limit: number; offset: number },
): Promise<{ entries: AuditRow[]; total: number }> {
  const {
    agentId = null,
    grantId = null,
    principalId = null,
    action = null,
    since = null,
    until = null,
  } = filter;
  const bits = (agentId === null ? 0 : 1) + (grantId === null ? 0 : 2) + (principalId === null ? 0 : 4);
  const statements = FILTERS[bits];
  if (!statements) throw new Error('no such set of filters');
  const values = [developerId, agentId, grantId, principalId, action, since, until];
  const [entries, total] = await Promise.all([
    db.rows<AuditRow>(statements.page, [...values, limit, offset]),
    countOf(db, statements.count, values),
  ]);
  return { entries, total };
}

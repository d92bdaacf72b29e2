import type postgres from 'postgres';
import { agentIdOf, BUSIEST_PRINCIPAL, developerIdOf, keyOf } from '../load/fill/shape.ts';

/** Rows of the largest developer of a filled database. */
export interface Examples {
  readonly developerId: string;
  readonly agentId: string;
  /** Has few grants. */
  readonly smallAgentId: string;
  readonly principalId: string;
  readonly keyHash: Buffer;
  /** Ids of rows by the table that they are in. */
  readonly ids: Readonly<Record<string, string>>;
  readonly jti: string;
  readonly codeHash: Buffer;
  readonly refreshHash: Buffer;
  readonly removal: RemovalExample;
  readonly now: Date;
}

/** A removal that is not worked off: of the largest agent of another developer that is large too. */
export interface RemovalExample {
  readonly id: string;
  readonly developerId: string;
  readonly agentId: string;
  /** Some of its grants, which were found. */
  readonly grantIds: readonly string[];
}
const REMOVING = 2;

/** Everything that the developer had until now was stopped, and then its largest agent removed. */
async function makeRemoval(sql: postgres.Sql): Promise<RemovalExample> {
  const developerId = developerIdOf(REMOVING);
  const agentId = agentIdOf(REMOVING, 1);
  await sql`insert into removals (developer_id, phase, revoked_by, removed_at, issued_by)
    values (${developerId}, 'sweep', 'developer', now(), now())`;
  const [row] = await sql<{ id: string; grantIds: string[] }[]>`
    with removal as (
      insert into removals (developer_id, agent_id, removes_agent, revoked_by, removed_at)
      values (${developerId}, ${agentId}, true, 'developer', now()) returning id),
    found as (
      insert into removal_grants (removal_id, grant_id, expires_at)
      select removal.id, grants.id, expires_at from removal, grants
      where developer_id = ${developerId} and agent_id = ${agentId} and status = 'active'
      order by issued_at desc limit 500 returning removal_id, grant_id)
    select removal_id::text as id, array_agg(grant_id) as "grantIds" from found group by 1`;
  if (!row) throw new Error('the developer has no grants');
  return { developerId, agentId, ...row };
}

/**
 * Adds a removal, and reads the rest.
 * @throws when the database is not filled
 */
export async function readExamples(sql: postgres.Sql): Promise<Examples> {
  const developerId = developerIdOf(1);
  const agentId = agentIdOf(1, 1);
  const [row] = await sql<
    { ids: Record<string, string>; jti: string; hash: Buffer; code: Buffer; key: Buffer }[]
  >`
    select json_build_object('grants', given.id, 'authorization_requests', request.id,
        'developers', ${developerId}::text, 'agents', ${agentId}::text,
        'audit_entries', (select id from audit_entries where grant_id = given.id and developer_id = ${developerId} limit 1),
        'policies', (select id from policies where developer_id = ${developerId} limit 1),
        'webhooks', (select id from webhooks where developer_id = ${developerId} limit 1),
        'anomalies', (select id from anomalies where developer_id = ${developerId} limit 1)) as ids,
      (select jti from tokens where grant_id = given.id limit 1) as jti,
      (select hash from refresh_tokens where grant_id = given.id and used_at is null limit 1) as hash,
      request.code_hash as code, sha256(convert_to(${keyOf(1)}, 'UTF8')) as key
    from grants given join authorization_requests request on request.grant_id = given.id and request.agent_id = given.agent_id
    where given.developer_id = ${developerId} and given.agent_id = ${agentId} and given.status = 'active'
      and given.expires_at > now() limit 1`;
  if (!row) throw new Error('the database is not filled');
  return {
    developerId,
    agentId,
    smallAgentId: agentIdOf(1, 20),
    principalId: BUSIEST_PRINCIPAL,
    keyHash: row.key,
    ids: row.ids,
    jti: row.jti,
    codeHash: row.code,
    refreshHash: row.hash,
    removal: await makeRemoval(sql),
    now: new Date(),
  };
}

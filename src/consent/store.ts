import type { Queryable } from '../db/queryable.ts';
import { describeStatement } from '../telemetry/database.ts';

/** A request for consent with the names a principal needs to judge it by. */
export interface ConsentRequest {
  readonly id: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  readonly grantSeconds: number;
  readonly expiresAt: Date;
  readonly agentId: string;
  readonly agentName: string;
  readonly agentDescription: string;
  readonly developerName: string;
  /** Approved, denied, or its code exchanged. */
  readonly decided: boolean;
}

const byId = describeStatement({
  operation: 'SELECT',
  collection: 'authorization_requests',
  name: 'consent.by_id',
  text: `select request.id, principal_id as "principalId", request.scopes, redirect_uri as "redirectUri",
      grant_seconds as "grantSeconds", expires_at as "expiresAt", agents.id as "agentId", agents.name as "agentName",
      agents.description as "agentDescription", developers.name as "developerName",
      request.status <> 'pending' or exchanged_at is not null as decided
    from authorization_requests request join agents on agents.id = request.agent_id
      join developers on developers.id = request.developer_id
    where request.id = $1`,
});

/** Whoever the request belongs to, and whatever has become of it; undefined when there is none. */
export async function consentRequest(db: Queryable, id: string): Promise<ConsentRequest | undefined> {
  const [row] = await db.rows<ConsentRequest>(byId, [id]);
  return row;
}

export type Decision = 'approved' | 'denied';

/** Where a decision leads to, and whether this call made it. */
export interface DecisionRow {
  readonly decided: boolean;
  readonly redirectUri: string | null;
  readonly state: string | null;
  readonly agentId: string;
  readonly principalId: string;
  readonly developerId: string;
}

// Denying takes away the code that a sandbox request was born with.
const decide = describeStatement({
  operation: 'UPDATE',
  collection: 'authorization_requests',
  name: 'consent.decide',
  text: `with request as materialized (
      select id, redirect_uri, state, agent_id, principal_id, developer_id from authorization_requests
      where id = $1 and ($2::text is null or developer_id = $2)),
    decided as (
      update authorization_requests pending set status = $3, code_hash = $4, code_expires_at = $5
      from request
      where pending.id = request.id and pending.status = 'pending' and exchanged_at is null and expires_at > $6
      returning pending.id)
    select decided.id is not null as decided, redirect_uri as "redirectUri", state, agent_id as "agentId",
      principal_id as "principalId", developer_id as "developerId"
    from request left join decided on true`,
});

/** Decides a pending request, once; undefined when there is no such request. */
export async function decideRequest(
  db: Queryable,
  target: { id: string; developerId: string | null; decision: Decision; now: Date },
  code: { hash: Buffer; expiresAt: Date } | null,
): Promise<DecisionRow | undefined> {
  const { id, developerId, decision, now } = target;
  const values = [id, developerId, decision, code?.hash ?? null, code?.expiresAt ?? null, now];
  const [row] = await db.rows<DecisionRow>(decide, values);
  return row;
}

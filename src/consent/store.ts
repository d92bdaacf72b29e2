import { bool, bytes, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Decision } from '../label-values.ts';

/** A request for consent with the names that a principal needs in order to judge it. */
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

const byId = query({
  operation: 'SELECT',
  collection: 'authorization_requests',
  name: 'consent.by_id',
  text: `select request.id, principal_id as "principalId", request.scopes, redirect_uri as "redirectUri",
      grant_seconds as "grantSeconds", expires_at as "expiresAt", agents.id as "agentId", agents.name as "agentName",
      agents.description as "agentDescription", developers.name as "developerName",
      request.status <> 'pending' or exchanged_at is not null as decided
    from authorization_requests request join agents on agents.id = request.agent_id
      join developers on developers.id = request.developer_id
    where request.id = $id and agents.removed_at is null`,
  params: { id: text },
  row: {
    id: text,
    principalId: text,
    scopes: texts,
    redirectUri: orNull(text),
    grantSeconds: int,
    expiresAt: timestamp,
    agentId: text,
    agentName: text,
    agentDescription: text,
    developerName: text,
    decided: bool,
  },
});

/** A request of any developer in any state; undefined when there is none. */
export const consentRequest = (db: Queryable, id: string): Promise<ConsentRequest | undefined> =>
  db.first(byId, { id });

/** The destination of a decision, and whether this call made the decision. */
export interface DecisionRow {
  readonly decided: boolean;
  readonly createdAt: Date;
  /** Nobody had decided in time. */
  readonly expired: boolean;
  readonly redirectUri: string | null;
  readonly state: string | null;
  readonly agentId: string;
  readonly principalId: string;
  readonly developerId: string;
}

// A denial removes the code with which a sandbox request was created.
const decide = query({
  operation: 'UPDATE',
  collection: 'authorization_requests',
  name: 'consent.decide',
  text: `with request as materialized (
      select id, redirect_uri, state, agent_id, principal_id, developer_id, created_at,
        status = 'pending' and exchanged_at is null and expires_at <= $now as expired
      from authorization_requests
      where id = $id and ($developerId::text is null or developer_id = $developerId)
        and exists (select from agents where agents.id = agent_id and removed_at is null)),
    decided as (
      update authorization_requests pending
      set status = $decision, code_hash = $codeHash, code_expires_at = $codeExpiresAt
      from request
      where pending.id = request.id and pending.status = 'pending' and exchanged_at is null and expires_at > $now
      returning pending.id)
    select decided.id is not null as decided, expired, created_at as "createdAt", redirect_uri as "redirectUri", state,
      agent_id as "agentId", principal_id as "principalId", developer_id as "developerId"
    from request left join decided on true`,
  params: {
    id: text,
    developerId: orNull(text),
    decision: textOf<Decision>(),
    codeHash: orNull(bytes),
    codeExpiresAt: orNull(timestamp),
    now: timestamp,
  },
  row: {
    decided: bool,
    expired: bool,
    createdAt: timestamp,
    redirectUri: orNull(text),
    state: orNull(text),
    agentId: text,
    principalId: text,
    developerId: text,
  },
});

/**
 * Decides a pending request once; undefined when there is no such request. `developerId` null: any developer's request.
 */
export const decideRequest = (
  db: Queryable,
  request: { id: string; developerId: string | null; decision: Decision; now: Date },
  code: { hash: Buffer; expiresAt: Date } | null,
): Promise<DecisionRow | undefined> =>
  db.first(decide, { ...request, codeHash: code?.hash ?? null, codeExpiresAt: code?.expiresAt ?? null });

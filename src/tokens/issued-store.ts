import { bool, int, orNull, text, texts, timestamp } from '../db/column-types.ts';
import { ownerOfKey } from '../developers/key-owner-store.ts';
import type { TokenSubject } from '../grant-token/claims.ts';

/** The result for a presented credential. `grant` is null when the credential was refused. */
export interface Issued {
  /** null: the API key is unknown. */
  readonly developerId: string | null;
  /** null: the developer has no such agent. */
  readonly agentId: string | null;
  /** The grant of the new token. */
  readonly grant: TokenSubject | null;
  /** The statement wrote webhook deliveries, for this question or another one of its batch. */
  readonly enqueued: boolean;
}

/** Columns of the statements that issue tokens. Those of the grant are null when the credential was refused. */
export const issuedRow = {
  developerId: orNull(text),
  agentId: orNull(text),
  grantId: orNull(text),
  principalId: orNull(text),
  audience: orNull(text),
  scopes: orNull(texts),
  expiresAt: orNull(timestamp),
  grantExpiresAt: orNull(timestamp),
  parentAgentIds: orNull(texts),
  parentGrantId: orNull(text),
  delegationDepth: orNull(int),
  enqueued: bool,
};

interface IssuedRow {
  readonly developerId: string | null;
  readonly agentId: string | null;
  readonly grantId: string | null;
  readonly principalId: string | null;
  readonly audience: string | null;
  readonly scopes: readonly string[] | null;
  readonly expiresAt: Date | null;
  readonly grantExpiresAt: Date | null;
  readonly parentAgentIds: readonly string[] | null;
  readonly parentGrantId: string | null;
  readonly delegationDepth: number | null;
  readonly enqueued: boolean;
}

/** Converts a row of these statements, whose meaning depends on which columns are null. */
export function toIssued(row: IssuedRow): Issued {
  const {
    developerId,
    agentId,
    grantId,
    principalId,
    scopes,
    expiresAt,
    grantExpiresAt,
    audience,
    enqueued,
  } = row;
  const known =
    developerId !== null &&
    agentId !== null &&
    grantId !== null &&
    principalId !== null &&
    scopes &&
    expiresAt &&
    grantExpiresAt;
  if (!known) return { developerId, agentId, grant: null, enqueued };
  const { parentAgentIds, parentGrantId, delegationDepth } = row;
  const parent =
    parentAgentIds !== null && parentGrantId !== null && delegationDepth !== null
      ? { parent: { agentIds: parentAgentIds, grantId: parentGrantId, depth: delegationDepth } }
      : {};
  return {
    developerId,
    agentId,
    enqueued,
    grant: {
      principalId,
      audience,
      scopes,
      expiresAt,
      grantExpiresAt,
      ...parent,
      developerId,
      agentId,
      grantId,
    },
  };
}

/**
 * Common table expressions `developer (ordinal, id)` and `agent (ordinal, id, developer_id, status)`: the caller of
 * each question, if known. They share-lock the agents' rows first, so that the statement waits for a concurrent
 * deletion of an agent instead of a deadlock with it. Each row has its own lookup (`limit 1`). Otherwise the planner,
 * which estimates a batch at a hundred rows, would scan a small table from end to end.
 * @param questions a common table expression with the columns `ordinal`, "keyHash" and "agentId"
 */
export const callersOf = (questions: string): string => `developer as materialized (
      select ${questions}.ordinal, developer.id from ${questions} cross join lateral (
        ${ownerOfKey(`${questions}."keyHash"`)}) developer),
    agent as materialized (
      select ${questions}.ordinal, agent.* from ${questions} join developer using (ordinal) cross join lateral (
        select id, developer_id, status from agents
        where id = ${questions}."agentId" and developer_id = developer.id and removed_at is null limit 1
        for key share) agent)`;

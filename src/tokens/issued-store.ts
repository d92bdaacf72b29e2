import type { TokenSubject } from '../grant-token/sign-grant-token.ts';

/** What was found for a presented credential; `grant` is null when it was refused. */
export interface Issued {
  /** null: the API key is unknown. */
  readonly developerId: string | null;
  /** null: no such agent of this developer. */
  readonly agentId: string | null;
  /** The grant that an exchange or a refresh gives a token for. */
  readonly grant: TokenSubject | null;
  /** Webhook deliveries were written with it, or with what shared its statement. */
  readonly enqueued: boolean;
}

export interface IssuedRow {
  readonly developerId: string | null;
  readonly agentId: string | null;
  readonly grantId: string | null;
  readonly principalId: string;
  readonly audience: string | null;
  readonly scopes: string[];
  readonly expiresAt: Date;
  readonly parentAgentId: string | null;
  readonly parentGrantId: string | null;
  readonly delegationDepth: number;
  readonly enqueued: boolean;
}

/** A row of the statements that issue, by what it says rather than by which columns are null. */
export function toIssued(row: IssuedRow): Issued {
  const { developerId, agentId, grantId, parentAgentId, parentGrantId, delegationDepth } = row;
  const { principalId, audience, scopes, expiresAt, enqueued } = row;
  if (developerId === null || agentId === null || grantId === null)
    return { developerId, agentId, grant: null, enqueued };
  const parent =
    parentAgentId !== null && parentGrantId !== null
      ? { parent: { agentId: parentAgentId, grantId: parentGrantId, depth: delegationDepth } }
      : {};
  return {
    developerId,
    agentId,
    enqueued,
    grant: { principalId, audience, scopes, expiresAt, ...parent, developerId, agentId, grantId },
  };
}

/**
 * Developer and agent of each question. The agents' rows are share-locked first of all, so that an agent that is being
 * deleted at the same moment is waited for instead of deadlocked with. Each is looked up by itself (`limit 1`): the planner
 * takes a batch for a hundred rows and would rather read a small table from end to end.
 */
export const CALLERS = `developer as materialized (
      select asked.ordinal, developer.id from asked cross join lateral (
        select id from developers where api_key_hash = decode(asked."keyHash", 'hex') limit 1) developer),
    agent as materialized (
      select asked.ordinal, agent.* from asked join developer using (ordinal) cross join lateral (
        select id, developer_id, status from agents where id = asked."agentId" and developer_id = developer.id limit 1
        for key share) agent)`;

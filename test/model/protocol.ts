import type { PolicyActs } from './policies/model.ts';
import type { WebhookActs } from './webhooks/model.ts';

/** Who does it: the developer whose key is sent, and the agent that the request names. */
export interface Caller {
  readonly developer: number;
  readonly agent: number;
}

/** What a request for authorization asks for. */
export interface Ask {
  readonly principal: number;
  readonly scopes: readonly string[];
  /** Life of the grant, in seconds. */
  readonly life: number;
}

/** Whose session it is: developers know their principals by ids of their own, which may be the same. */
export interface Session {
  readonly developer: number;
  readonly principal: number;
}

/** The status of an answer. */
export type Status = number | Promise<number>;

/**
 * The acts of the protocol, by the numbers of the model; each gives the status of the answer. A capability that nothing
 * else hangs on has its acts in a room of its own.
 */
export interface Protocol {
  readonly policies: PolicyActs;
  readonly webhooks: WebhookActs;
  newAgent(developer: number, scopes: readonly string[]): Status;
  setStatus(developer: number, agent: number, status: 'active' | 'suspended'): Status;
  deleteAgent(developer: number, agent: number): Status;
  authorize(by: Caller, ask: Ask): Status;
  /** @param developer null: on the public route, as the principal */
  decide(request: number, decision: 'approved' | 'denied', developer: number | null): Status;
  exchange(by: Caller, code: number): Status;
  refresh(by: Caller, refresh: number, key: string | null): Status;
  delegate(by: Caller, token: number, scopes: readonly string[], life: number): Status;
  revokeGrant(developer: number, grant: number): Status;
  revokeToken(developer: number, token: number): Status;
  /** A principal revokes a grant of his, with a session. */
  takeBack(session: Session, grant: number): Status;
  /** Lets time pass; gives 0. */
  pass(seconds: number): Status;
}

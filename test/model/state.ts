import type { Ask } from './protocol.ts';

/** What the model knows, without ids and secrets: entities are numbers, in the order in which they were made. */
export interface Agent {
  readonly developer: number;
  readonly scopes: readonly string[];
  status: 'active' | 'suspended' | 'deleted';
}

export interface Request {
  readonly agent: number;
  readonly ask: Ask;
  readonly openUntil: number;
  /** A policy allowed it: nobody is asked. */
  readonly byPolicy: boolean;
  decision: 'pending' | 'approved' | 'denied';
  /** The code in force: a decision takes away the one that a sandbox request was born with. */
  code: number | null;
}

export interface Code {
  readonly request: number;
  readonly until: number;
  /** The grant that it was exchanged for. */
  grant: number | null;
}

export interface Grant {
  readonly agent: number;
  readonly principal: number;
  readonly parent: number | null;
  readonly depth: number;
  readonly scopes: readonly string[];
  readonly since: number;
  readonly until: number;
  revoked: boolean;
  /** Its row went with its agent. */
  removed: boolean;
}

export interface Token {
  readonly grant: number;
  revoked: boolean;
}

export interface Refresh {
  readonly grant: number;
  readonly predecessor: number | null;
  usedAt: number | null;
  key: string | null;
}

export type RevokedBy = 'developer' | 'principal' | 'code_replay' | 'refresh_reuse' | 'agent_deleted';

/** One fallen tree, as `grant.revoked` must tell it. */
export interface Fall {
  readonly grant: number;
  readonly revokedBy: RevokedBy;
  readonly cascadeCount: number;
}

/** One refusal by a policy, as `authorize.denied` must tell it. */
export interface Denial {
  readonly agent: number;
  readonly principal: number;
  readonly policy: number;
}

/** What `/metrics` must have counted; keys are `family/label`. */
export type Counts = Record<
  | `authorize/${'success' | 'denied' | 'error'}`
  | `exchange/${'success' | 'error'}`
  | `refresh/${'success' | 'error'}`
  | `verify/${'valid' | 'invalid'}`
  | `created/${'consent' | 'delegation'}`
  | `decided/${'approved' | 'denied'}`
  | 'revoked',
  number
>;

export const noCounts = (): Counts => ({
  'authorize/success': 0,
  'authorize/denied': 0,
  'authorize/error': 0,
  'exchange/success': 0,
  'exchange/error': 0,
  'refresh/success': 0,
  'refresh/error': 0,
  'verify/valid': 0,
  'verify/invalid': 0,
  'created/consent': 0,
  'created/delegation': 0,
  'decided/approved': 0,
  'decided/denied': 0,
  revoked: 0,
});

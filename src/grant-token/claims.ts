import { agentDid } from '../ids.ts';

/** The longest `scope` claim, in bytes: what the scopes of one grant may have together. Older grants may have more. */
const MAX_SCOPE_BYTES = 8192;

/** The facts of a grant that its tokens carry. */
export interface TokenSubject {
  readonly grantId: string;
  readonly agentId: string;
  readonly developerId: string;
  readonly principalId: string;
  readonly audience: string | null;
  readonly scopes: readonly string[];
  /** When the token expires: a whole second, and never after the grant. */
  readonly expiresAt: Date;
  readonly grantExpiresAt: Date;
  /** Only on a delegated grant. */
  readonly parent?: Parent;
}

interface Parent {
  readonly grantId: string;
  /** How often the consented grant was delegated until it became the token's grant. */
  readonly depth: number;
  /** The agents of the grants above, from the parent's up to the one that the principal consented to. */
  readonly agentIds: readonly string[];
}

/** `act` of RFC 8693 §4.1: who delegated, and outside of it nobody else's authority counts. */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

/** `urn:grantex:grant` of profile 0.6. */
interface GrantClaim {
  readonly agent_did: string;
  readonly developer_id: string;
  readonly grant_id: string;
  readonly parent_grant_id?: string;
  readonly delegation_depth?: number;
}

/** The claims of profile 0.6 that need scopes without white space. */
interface Spoken {
  readonly scope?: string;
  readonly 'urn:grantex:grant'?: GrantClaim;
}

type Described = Pick<TokenSubject, 'grantId' | 'agentId' | 'developerId' | 'scopes' | 'parent'>;

/**
 * `scope` (RFC 6749 §3.3). It is undefined where a scope holds white space, because joined by spaces it would read as
 * several scopes, and for more than 8 KiB, so that no token grows beyond what a request can carry.
 */
export function scopeClaim(scopes: readonly string[]): string | undefined {
  const scope = scopes.join(' ');
  return scopes.some((one) => /\s/.test(one)) || Buffer.byteLength(scope) > MAX_SCOPE_BYTES
    ? undefined
    : scope;
}

/** `scope` and `urn:grantex:grant`: both of them, or none. */
export function spokenScope({ scopes, agentId, developerId, grantId, parent }: Described): Spoken {
  const scope = scopeClaim(scopes);
  if (scope === undefined) return {};
  return {
    scope,
    'urn:grantex:grant': {
      agent_did: agentDid(agentId),
      developer_id: developerId,
      grant_id: grantId,
      ...(parent && { parent_grant_id: parent.grantId, delegation_depth: parent.depth }),
    },
  };
}

/** The chain of the agents that delegated, the nearest outermost; undefined for a consented grant. */
export const actorOf = (parent: Pick<Parent, 'agentIds'> | undefined): Actor | undefined =>
  parent?.agentIds.reduceRight<Actor | undefined>(
    (act, agentId) => ({ sub: agentDid(agentId), ...(act && { act }) }),
    undefined,
  );

/**
 * The claims of a grant token that come from its grant, in both spellings: the older names, and those of profile 0.6.
 * A claim that does not apply is absent.
 */
export function grantClaims(subject: TokenSubject) {
  const { grantId, agentId, developerId, principalId, audience, scopes, parent } = subject;
  const [parentAgentId] = parent?.agentIds ?? [];
  const act = actorOf(parent);
  return {
    sub: principalId,
    ...(audience !== null && { aud: audience }),
    agt: agentDid(agentId),
    dev: developerId,
    grnt: grantId,
    scp: scopes,
    ...(parent &&
      parentAgentId !== undefined && {
        parentAgt: agentDid(parentAgentId),
        parentGrnt: parent.grantId,
        delegationDepth: parent.depth,
      }),
    client_id: agentId,
    ...spokenScope(subject),
    ...(act && { act }),
  };
}

import type { Caller } from './protocol.ts';
import {
  type Agent,
  type Code,
  type Denial,
  type Fall,
  type Grant,
  noCounts,
  type Refresh,
  type Request,
  type Token,
} from './state.ts';

/** What a run has come to, and what can be asked about it; the acts that change it are the model's. */
export abstract class Facts {
  readonly agents: Agent[] = [];
  readonly requests: Request[] = [];
  readonly codes: Code[] = [];
  readonly grants: Grant[] = [];
  readonly tokens: Token[] = [];
  readonly refreshes: Refresh[] = [];
  readonly counts = noCounts();
  readonly falls: Fall[] = [];
  readonly denials: Denial[] = [];
  readonly modes: readonly ('live' | 'sandbox')[];
  /** Seconds since the run began, as far as the run moved them. */
  now = 0;

  constructor(modes: readonly ('live' | 'sandbox')[]) {
    this.modes = modes;
  }

  statusOf(grant: number): 'active' | 'revoked' | 'expired' | 'removed' {
    const found = this.grants[grant];
    if (!found || found.removed) return 'removed';
    if (found.revoked) return 'revoked';
    return found.until <= this.now ? 'expired' : 'active';
  }

  /** What GET /v1/revocations/status says of a token and its grant. */
  revocation(token: number): 'active' | 'revoked' | 'suspended' | 'expired' | 'unknown' {
    const found = this.tokens[token];
    const grant = found && this.grants[found.grant];
    const status = found ? this.statusOf(found.grant) : 'removed';
    if (!grant || status === 'removed') return 'unknown';
    if (found.revoked || status === 'revoked') return 'revoked';
    if (status === 'expired') return 'expired';
    return this.agents[grant.agent]?.status === 'active' ? 'active' : 'suspended';
  }

  /** A sandbox request whose code was exchanged is decided, too. */
  isPending({ code, decision, openUntil }: Request): boolean {
    const exchanged = code !== null && this.codes[code]?.grant !== null;
    return decision === 'pending' && !exchanged && openUntil > this.now;
  }

  /** Whether the code is still its request's: what was taken away or removed is as unknown as any text. */
  isInForce(code: number): boolean {
    const request = this.requests[this.codes[code]?.request ?? -1];
    return request?.code === code && this.agents[request.agent]?.status !== 'deleted';
  }

  /** The grants that are active. */
  live(): number[] {
    return [...this.grants.keys()].filter((grant) => this.statusOf(grant) === 'active');
  }

  isLive(token: number): boolean {
    return this.revocation(token) === 'active';
  }

  /** Rows and tallies together: what the ledger of the database must say of this run. */
  ledger(): { created: number; revoked: number; expired: number; active: number } {
    const of = (status: string) => this.grants.filter((_, grant) => this.statusOf(grant) === status).length;
    return {
      created: this.counts['created/consent'] + this.counts['created/delegation'],
      revoked: this.counts.revoked,
      expired: of('expired'),
      active: of('active'),
    };
  }

  /** Whose the grant is, also when its agent is gone. */
  developerOf(grant: number): number | undefined {
    return this.agents[this.grants[grant]?.agent ?? -1]?.developer;
  }

  owns({ developer, agent }: Caller): boolean {
    const found = this.agents[agent];
    return found?.developer === developer && found.status !== 'deleted';
  }
}

import {
  type Agent,
  type Code,
  type Fall,
  type Grant,
  noCounts,
  type Refresh,
  type Request,
  type RevokedBy,
  type Token,
} from './state.ts';

/** Seconds for which a request, a code, and a retry under one Idempotency-Key hold (protocol contract). */
const REQUEST_LIFE = 600;
const CODE_LIFE = 600;
const RETRY_WINDOW = 300;
const MAX_DEPTH = 3;

/** Who does it: the developer whose key is sent, and the agent that the request names. */
export interface Caller {
  readonly developer: number;
  readonly agent: number;
}

type Status = number | Promise<number>;

/** The acts of the protocol, by the numbers of the model; each gives the status of the answer. */
export interface Protocol {
  newAgent(developer: number, scopes: readonly string[]): Status;
  setStatus(developer: number, agent: number, status: 'active' | 'suspended'): Status;
  deleteAgent(developer: number, agent: number): Status;
  authorize(by: Caller, scopes: readonly string[], life: number): Status;
  /** @param developer null: on the public route, as the principal */
  decide(request: number, decision: 'approved' | 'denied', developer: number | null): Status;
  exchange(by: Caller, code: number): Status;
  refresh(by: Caller, refresh: number, key: string | null): Status;
  delegate(by: Caller, token: number, scopes: readonly string[], life: number): Status;
  revokeGrant(developer: number, grant: number): Status;
  revokeToken(developer: number, token: number): Status;
  /** Lets time pass; gives 0. */
  pass(seconds: number): Status;
}

/**
 * The protocol as the contract has it, without HTTP, SQL or concurrency. Each act returns the status that the service
 * must answer with, and changes the state as the service must change its own.
 */
export class Model implements Protocol {
  readonly agents: Agent[] = [];
  readonly requests: Request[] = [];
  readonly codes: Code[] = [];
  readonly grants: Grant[] = [];
  readonly tokens: Token[] = [];
  readonly refreshes: Refresh[] = [];
  readonly counts = noCounts();
  readonly falls: Fall[] = [];
  readonly modes: readonly ('live' | 'sandbox')[];
  /** Seconds since the run began, as far as the run moved them. */
  now = 0;

  constructor(modes: readonly ('live' | 'sandbox')[]) {
    this.modes = modes;
  }

  newAgent(developer: number, scopes: readonly string[]): number {
    this.agents.push({ developer, scopes, status: 'active' });
    return 201;
  }

  setStatus(developer: number, agent: number, status: 'active' | 'suspended'): number {
    const found = this.agents[agent];
    if (!found || !this.owns({ developer, agent })) return 404;
    found.status = status;
    return 200;
  }

  deleteAgent(developer: number, agent: number): number {
    const found = this.agents[agent];
    if (!found || !this.owns({ developer, agent })) return 404;
    const own = this.grants.filter((grant) => grant.agent === agent && !grant.removed);
    this.revoke(
      own.filter(({ revoked }) => !revoked),
      'agent_deleted',
    );
    for (const grant of own) grant.removed = true;
    found.status = 'deleted';
    return 204;
  }

  authorize(by: Caller, scopes: readonly string[], life: number): number {
    const agent = this.agents[by.agent];
    const known = this.owns(by);
    const allowed = agent?.scopes.length === 0 || scopes.every((scope) => agent?.scopes.includes(scope));
    const status = !known || agent?.status !== 'active' ? 404 : allowed ? 201 : 400;
    this.counts[status === 201 ? 'authorize/success' : 'authorize/error']++;
    if (status !== 201) return status;
    const request = this.requests.length;
    const sandbox = this.modes[by.developer] === 'sandbox';
    const code = sandbox ? this.newCode(request) : null;
    const openUntil = this.now + REQUEST_LIFE;
    this.requests.push({ agent: by.agent, scopes, life, openUntil, decision: 'pending', code });
    return 201;
  }

  decide(request: number, decision: 'approved' | 'denied', developer: number | null): number {
    if (developer !== null && this.modes[developer] === 'live') return 403;
    const found = this.requests[request];
    const owner = found && this.agents[found.agent];
    if (!found || !owner || owner.status === 'deleted') return 404;
    if (developer !== null && owner.developer !== developer) return 404;
    if (!this.isPending(found)) return developer === null ? 410 : 404;
    found.decision = decision;
    found.code = decision === 'approved' ? this.newCode(request) : null;
    this.counts[`decided/${decision}`]++;
    return 200;
  }

  exchange(by: Caller, code: number): number {
    const found = this.codes[code];
    const request = found && this.requests[found.request];
    const agent = request && this.agents[request.agent];
    const inForce = this.isInForce(code) && agent?.developer === by.developer;
    if (found && inForce && found.grant !== null) this.revokeTree(found.grant, 'code_replay');
    const usable =
      found?.grant === null &&
      found.until > this.now &&
      request?.agent === by.agent &&
      agent?.status === 'active';
    if (!found || !request || !inForce || !usable) {
      this.counts['exchange/error']++;
      return 400;
    }
    this.counts['exchange/success']++;
    this.counts['created/consent']++;
    found.grant = this.grants.length;
    this.addGrant(by.agent, null, request.scopes, this.now + request.life);
    return 201;
  }

  refresh(by: Caller, refresh: number, key: string | null): number {
    const found = this.refreshes[refresh];
    const grant = found && this.grants[found.grant];
    const agent = grant && this.agents[grant.agent];
    const known = grant?.removed === false && agent?.developer === by.developer;
    const retry =
      key !== null && found?.key === key && found.usedAt !== null && found.usedAt > this.now - RETRY_WINDOW;
    if (found && known && found.usedAt !== null && !retry) this.revokeTree(found.grant, 'refresh_reuse');
    const usable = found && !found.replaced && (found.usedAt === null || retry);
    const alive = grant && known && this.statusOf(found.grant) === 'active' && agent?.status === 'active';
    if (!usable || !alive || grant.agent !== by.agent) {
      this.counts['refresh/error']++;
      return 400;
    }
    this.counts['refresh/success']++;
    for (const other of this.refreshes)
      if (other.predecessor === refresh && other.usedAt === null) other.replaced = true;
    found.usedAt ??= this.now;
    found.key ??= key;
    this.addPair(found.grant, refresh);
    return 201;
  }

  delegate(by: Caller, token: number, scopes: readonly string[], life: number): number {
    const parentToken = this.tokens[token];
    const parent = parentToken && this.grants[parentToken.grant];
    if (!parentToken || !parent) throw new Error('the run names a token that it never got');
    if (this.agents[parent.agent]?.developer !== by.developer) return 403;
    if (!this.isLive(token)) return 400;
    if (!this.owns(by) || this.agents[by.agent]?.status !== 'active') return 404;
    if (!scopes.every((scope) => parent.scopes.includes(scope))) return 400;
    if (parent.depth >= MAX_DEPTH) return 403;
    this.counts['created/delegation']++;
    this.addGrant(by.agent, parentToken.grant, scopes, Math.min(parent.until, this.now + life));
    return 201;
  }

  revokeGrant(developer: number, grant: number): number {
    const found = this.grants[grant];
    if (!found || found.removed || this.agents[found.agent]?.developer !== developer) return 404;
    return this.revokeTree(grant, 'developer') ? 204 : 404;
  }

  revokeToken(developer: number, token: number): number {
    const found = this.tokens[token];
    const grant = found && this.grants[found.grant];
    if (!grant || grant.removed || found.revoked) return 404;
    if (this.agents[grant.agent]?.developer !== developer) return 404;
    found.revoked = true;
    return 204;
  }

  pass(seconds: number): number {
    this.now += seconds;
    return 0;
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

  owns({ developer, agent }: Caller): boolean {
    const found = this.agents[agent];
    return found?.developer === developer && found.status !== 'deleted';
  }

  private newCode(request: number): number {
    return this.codes.push({ request, until: this.now + CODE_LIFE, grant: null }) - 1;
  }

  private addGrant(agent: number, parent: number | null, scopes: readonly string[], until: number): void {
    const depth = parent === null ? 0 : (this.grants[parent]?.depth ?? 0) + 1;
    this.grants.push({ agent, parent, depth, scopes, until, revoked: false, removed: false });
    this.addPair(this.grants.length - 1, null);
  }

  private addPair(grant: number, predecessor: number | null): void {
    this.tokens.push({ grant, revoked: false });
    this.refreshes.push({ grant, predecessor, usedAt: null, key: null, replaced: false });
  }

  private revokeTree(grant: number, revokedBy: RevokedBy): boolean {
    const found = this.grants[grant];
    if (!found || found.revoked) return false;
    this.revoke([found], revokedBy);
    return true;
  }

  /** Revokes these and all below them. Each fallen tree is told by its topmost grant. */
  private revoke(named: readonly Grant[], revokedBy: RevokedBy): void {
    const fallen = new Map<number, number>();
    const isNamed = new Set(named);
    // Parents are older than their children, so one pass finds whole trees.
    for (const [id, grant] of this.grants.entries()) {
      const top = grant.parent === null ? undefined : fallen.get(grant.parent);
      if (grant.revoked || !(isNamed.has(grant) || top !== undefined)) continue;
      fallen.set(id, top ?? id);
      grant.revoked = true;
    }
    this.counts.revoked += fallen.size;
    for (const [top, members] of Map.groupBy(fallen, ([, of]) => of))
      this.falls.push({ grant: top, revokedBy, cascadeCount: members.length - 1 });
  }
}

import { Facts } from './facts.ts';
import { PolicyModel } from './policies/model.ts';
import type { Ask, Caller, Protocol, Session } from './protocol.ts';
import type { Grant, RevokedBy } from './state.ts';
import { WebhookModel } from './webhooks/model.ts';

/** Seconds for which a request, a code, and a retry under one Idempotency-Key hold (protocol contract). */
const REQUEST_LIFE = 600;
const CODE_LIFE = 600;
const RETRY_WINDOW = 300;
const MAX_DEPTH = 3;

/**
 * The protocol as the contract has it, without HTTP, SQL or concurrency. Each act returns the status that the service
 * must answer with, and changes the state as the service must change its own.
 */
export class Model extends Facts implements Protocol {
  readonly webhooks = new WebhookModel();
  readonly policies = new PolicyModel((caller) => this.owns(caller));

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
    this.policies.forgetAgent(agent);
    found.status = 'deleted';
    return 204;
  }

  authorize(by: Caller, ask: Ask): number {
    const status = this.judge(by, ask);
    const policy = status === 201 ? this.policies.decide(by, ask) : undefined;
    if (policy?.effect === 'deny') {
      this.counts['authorize/denied']++;
      this.denials.push({ agent: by.agent, principal: ask.principal, policy: policy.number });
      return 403;
    }
    this.counts[status === 201 ? 'authorize/success' : 'authorize/error']++;
    if (status !== 201) return status;
    const byPolicy = policy?.effect === 'allow';
    const code =
      byPolicy || this.modes[by.developer] === 'sandbox' ? this.newCode(this.requests.length) : null;
    const openUntil = this.now + REQUEST_LIFE;
    const decision = byPolicy ? 'approved' : 'pending';
    this.requests.push({ agent: by.agent, ask, openUntil, byPolicy, decision, code });
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
    const { principal, scopes, life } = request.ask;
    this.addGrant({ agent: by.agent, principal, parent: null, depth: 0, scopes, until: this.now + life });
    return 201;
  }

  refresh(by: Caller, refresh: number, key: string | null): number {
    const found = this.refreshes[refresh];
    const grant = found && this.grants[found.grant];
    const agent = grant && this.agents[grant.agent];
    const known = grant?.removed === false && agent?.developer === by.developer;
    const successorUsed = this.refreshes.some((one) => one.predecessor === refresh && one.usedAt !== null);
    const inTime = found !== undefined && found.usedAt !== null && found.usedAt > this.now - RETRY_WINDOW;
    const retry = key !== null && found?.key === key && inTime && !successorUsed;
    if (found && known && found.usedAt !== null && !retry) this.revokeTree(found.grant, 'refresh_reuse');
    const usable = found && (found.usedAt === null || retry);
    const alive = grant && known && this.statusOf(found.grant) === 'active' && agent?.status === 'active';
    if (!usable || !alive || grant.agent !== by.agent) {
      this.counts['refresh/error']++;
      return 400;
    }
    this.counts['refresh/success']++;
    found.usedAt ??= this.now;
    found.key ??= key;
    // A retry gets the same refresh token again.
    if (retry) this.addToken(found.grant);
    else this.addPair(found.grant, refresh);
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
    this.addGrant({
      agent: by.agent,
      principal: parent.principal,
      parent: parentToken.grant,
      depth: parent.depth + 1,
      scopes,
      until: Math.min(parent.until, this.now + life),
    });
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

  takeBack({ developer, principal }: Session, grant: number): number {
    const found = this.grants[grant];
    if (!found || found.removed || found.principal !== principal) return 404;
    if (this.developerOf(grant) !== developer) return 404;
    return this.revokeTree(grant, 'principal') ? 204 : 404;
  }

  pass(seconds: number): number {
    this.now += seconds;
    return 0;
  }

  private newCode(request: number): number {
    return this.codes.push({ request, until: this.now + CODE_LIFE, grant: null }) - 1;
  }

  /** What is wrong with a request, before policies are asked. */
  private judge(by: Caller, { scopes }: Ask): 201 | 400 | 404 {
    const agent = this.agents[by.agent];
    if (!agent || !this.owns(by) || agent.status !== 'active') return 404;
    return agent.scopes.length === 0 || scopes.every((scope) => agent.scopes.includes(scope)) ? 201 : 400;
  }

  private addGrant(row: Omit<Grant, 'since' | 'revoked' | 'removed'>): void {
    const grant = this.grants.push({ ...row, since: this.now, revoked: false, removed: false }) - 1;
    this.webhooks.tell(this.developerOf(grant), { type: 'grant.created', grant });
    this.addPair(grant, null);
  }

  private addPair(grant: number, predecessor: number | null): void {
    this.refreshes.push({ grant, predecessor, usedAt: null, key: null });
    this.addToken(grant);
  }

  private addToken(grant: number): void {
    const token = this.tokens.push({ grant, revoked: false }) - 1;
    this.webhooks.tell(this.developerOf(grant), { type: 'token.issued', grant, token });
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
    const parents = new Set([...fallen.keys()].map((id) => this.grants[id]?.parent));
    for (const grant of fallen.keys()) {
      const cascade = parents.has(grant) || fallen.has(this.grants[grant]?.parent ?? -1);
      this.webhooks.tell(this.developerOf(grant), { type: 'grant.revoked', grant, cascade });
    }
  }
}

import { decodeJwt } from 'jose';
import type { Answer, TestService } from '../support/service.ts';
import { at } from './at.ts';
import { Given, principalId } from './given.ts';
import { RealPolicies } from './policies/real.ts';
import { Sessions } from './principals/sessions.ts';
import type { Ask, Caller, Protocol, Session } from './protocol.ts';
import type { Inbox } from './webhooks/inbox.ts';
import { RealWebhooks } from './webhooks/real.ts';

/** The same acts as the model's, done to the service. Each returns the answer's status, and notes what it gave out. */
export class Real implements Protocol {
  readonly service: TestService;
  readonly given: Given;
  readonly policies: RealPolicies;
  readonly webhooks: RealWebhooks;
  readonly sessions: Sessions;

  private constructor(service: TestService, inbox: Inbox) {
    this.service = service;
    this.given = new Given(service);
    this.policies = new RealPolicies(this.given);
    this.webhooks = new RealWebhooks(this.given, inbox);
    this.sessions = new Sessions(this.given);
  }

  /** Developers of its own, so that many runs can share one service. */
  static async start(
    service: TestService,
    inbox: Inbox,
    modes: readonly ('live' | 'sandbox')[],
  ): Promise<Real> {
    const real = new Real(service, inbox);
    for (const mode of modes) {
      const { apiKey: key, developerId: id } = await service.signup({ mode });
      real.given.developers.push({ key, id });
    }
    return real;
  }

  ask(developer: number, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
    return this.given.ask(developer, method, path, body, headers);
  }

  async newAgent(developer: number, scopes: readonly string[]): Promise<number> {
    const { status, body } = await this.ask(developer, 'POST', '/v1/agents', { name: 'Agent', scopes });
    this.given.agents.push(body.agentId);
    return status;
  }

  async setStatus(developer: number, agent: number, status: string): Promise<number> {
    return (await this.ask(developer, 'PATCH', `/v1/agents/${this.agent(agent)}`, { status })).status;
  }

  async deleteAgent(developer: number, agent: number): Promise<number> {
    return (await this.ask(developer, 'DELETE', `/v1/agents/${this.agent(agent)}`)).status;
  }

  async authorize(by: Caller, { principal, scopes, life }: Ask): Promise<number> {
    const { status, body } = await this.ask(by.developer, 'POST', '/v1/authorize', {
      agentId: this.agent(by.agent),
      principalId: principalId(principal),
      scopes,
      expiresIn: `${life}s`,
    });
    if (status !== 201) return status;
    const byPolicy = body.policyEnforced === true && body.effect === 'allow' && body.status === 'approved';
    this.given.requests.push({ id: body.authRequestId, byPolicy });
    if (body.code !== undefined) this.given.codes.push(body.code);
    return status;
  }

  async decide(request: number, decision: 'approved' | 'denied', developer: number | null): Promise<number> {
    const verb = decision === 'approved' ? 'approve' : 'deny';
    const { id } = at(this.given.requests, request);
    const { status, body } =
      developer === null
        ? await this.service.request('POST', `/v1/consent/${id}/${verb}`)
        : await this.ask(developer, 'POST', `/v1/authorize/${id}/${verb}`);
    if (status === 200 && body.code !== undefined) this.given.codes.push(body.code);
    return status;
  }

  async exchange(by: Caller, code: number): Promise<number> {
    const asked = { code: at(this.given.codes, code), agentId: this.agent(by.agent) };
    return this.notePair(await this.ask(by.developer, 'POST', '/v1/token', asked));
  }

  async refresh(by: Caller, refresh: number, key: string | null): Promise<number> {
    const asked = { refreshToken: at(this.given.refreshes, refresh), agentId: this.agent(by.agent) };
    const headers = key === null ? {} : { 'idempotency-key': key };
    return this.notePair(await this.ask(by.developer, 'POST', '/v1/token/refresh', asked, headers));
  }

  async delegate(by: Caller, token: number, scopes: readonly string[], life: number): Promise<number> {
    const { jwt } = at(this.given.tokens, token);
    const asked = {
      parentGrantToken: jwt,
      subAgentId: this.agent(by.agent),
      scopes,
      expiresIn: `${life}s`,
    };
    return this.notePair(await this.ask(by.developer, 'POST', '/v1/grants/delegate', asked));
  }

  async revokeGrant(developer: number, grant: number): Promise<number> {
    return (await this.ask(developer, 'DELETE', `/v1/grants/${at(this.given.grants, grant)}`)).status;
  }

  async revokeToken(developer: number, token: number): Promise<number> {
    const { jti } = at(this.given.tokens, token);
    return (await this.ask(developer, 'POST', '/v1/tokens/revoke', { jti })).status;
  }

  async takeBack(session: Session, grant: number): Promise<number> {
    const path = `/v1/principal/grants/${at(this.given.grants, grant)}`;
    return (await this.sessions.ask(session, 'DELETE', path)).status;
  }

  /**
   * Time is made to pass by moving the times that the run's rows hold: the service has no clock but the system's. Deliveries
   * stay as they are: their time is in the bytes that a receiver has got, or gets again.
   */
  async pass(seconds: number): Promise<number> {
    const developers = this.given.developers.map(({ id }) => id);
    await this.service.database.sql`
      with moved as (
        update authorization_requests set created_at = created_at - make_interval(secs => ${seconds}),
          expires_at = expires_at - make_interval(secs => ${seconds}),
          code_expires_at = code_expires_at - make_interval(secs => ${seconds})
        where developer_id = any(${developers})),
      used as (
        update refresh_tokens set used_at = used_at - make_interval(secs => ${seconds}),
          issued_at = refresh_tokens.issued_at - make_interval(secs => ${seconds}) from grants
        where grants.id = grant_id and grants.developer_id = any(${developers})),
      aged as (
        update policies set created_at = created_at - make_interval(secs => ${seconds}),
          updated_at = updated_at - make_interval(secs => ${seconds})
        where developer_id = any(${developers}))
      update grants set issued_at = issued_at - make_interval(secs => ${seconds}),
        expires_at = expires_at - make_interval(secs => ${seconds})
      where developer_id = any(${developers})`;
    return 0;
  }

  agent(agent: number): string {
    return at(this.given.agents, agent);
  }

  /** A refresh gives a second token for a grant that is known already. */
  private notePair({ status, body }: Answer): number {
    if (status !== 201) return status;
    const { grants, tokens, refreshes } = this.given;
    if (!grants.includes(body.grantId)) grants.push(body.grantId);
    tokens.push({ jwt: body.grantToken, jti: String(decodeJwt(body.grantToken).jti) });
    // A retry of a refresh gives the same one again.
    if (!refreshes.includes(body.refreshToken)) refreshes.push(body.refreshToken);
    return status;
  }
}

import { decodeJwt } from 'jose';
import { anomalyOf, newParty, type Party, type TokenPair } from '../support/flow.ts';
import type { TestService } from '../support/service.ts';

export interface World {
  /** A developer who asks for what is not his, and what he has himself. */
  readonly stranger: Party;
  readonly own: TokenPair;
  readonly ownPolicyId: string;
  /** The stranger's session for a principal of the same name as the owner's. */
  readonly strangersSession: string;
  /** The owner's session for another of his principals. */
  readonly otherPrincipalsSession: string;
  /** What another developer has, all of it alive, and things that were used once already. */
  readonly owner: Party;
  readonly ownersKeyId: string;
  readonly pair: TokenPair;
  readonly jti: string;
  readonly entryId: string;
  readonly pendingId: string;
  readonly code: string;
  readonly usedCode: string;
  readonly usedRefreshToken: string;
  readonly policyId: string;
  readonly webhookId: string;
  readonly anomalyId: string;
}

export async function makeWorld(service: TestService): Promise<World> {
  const send = ({ key }: Party, path: string, body: unknown) => service.request('POST', path, { key, body });
  const session = async (developer: Party, principalId: string) =>
    (await send(developer, '/v1/principal-sessions', { principalId })).body.sessionToken;
  // Sandbox developers may do more than live ones.
  const stranger = await newParty(service, 'sandbox');
  const own = await stranger.grant();
  const ownPolicy = await send(stranger, '/v1/policies', {
    name: 'P',
    effect: 'deny',
    principalId: 'nobody',
  });
  const owner = await newParty(service, 'sandbox');
  const usedCode = await owner.consent();
  const first = await owner.exchange(usedCode);
  const pair = (
    await send(owner, '/v1/token/refresh', { refreshToken: first.refreshToken, agentId: owner.agentId })
  ).body;
  const entry = await send(owner, '/v1/audit/log', {
    agentId: owner.agentId,
    grantId: pair.grantId,
    action: 'mail.sent',
  });
  const policy = await send(owner, '/v1/policies', { name: 'P', effect: 'deny', principalId: 'nobody' });
  const webhook = await send(owner, '/v1/webhooks', {
    url: 'https://hooks.invalid/',
    events: ['grant.revoked'],
  });
  const { body: keys } = await service.request('GET', '/v1/keys', { key: owner.key });
  return {
    stranger,
    ownersKeyId: keys.keys[0].id,
    own,
    ownPolicyId: ownPolicy.body.id,
    strangersSession: await session(stranger, 'user_1'),
    otherPrincipalsSession: await session(owner, 'user_2'),
    owner,
    pair,
    jti: String(decodeJwt(pair.grantToken).jti),
    entryId: entry.body.entryId,
    pendingId: (await owner.authorize()).authRequestId,
    code: await owner.consent(),
    usedCode,
    usedRefreshToken: first.refreshToken,
    policyId: policy.body.id,
    webhookId: webhook.body.id,
    anomalyId: await anomalyOf(service, owner),
  };
}

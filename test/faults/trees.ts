import { decodeJwt } from 'jose';
import type { Party } from '../support/flow.ts';
import type { Client } from './client.ts';

const CHILDREN = 32;
/** The events of one tree: creation, token and revocation of each grant, and the token of a refresh. */
export const EVENTS_PER_TREE = 3 * (1 + CHILDREN) + 1;

/**
 * Creates a grant with children, refreshes it and revokes it. This causes a hundred events of every type with a third
 * as many requests.
 * @returns the type and subject of each expected event, from the answers alone
 */
export async function createAndRevokeTree(client: Client, { key, agentId }: Party): Promise<string[]> {
  const call = async (status: number, method: string, path: string, body?: unknown) => {
    const reply = await client.send({ method, path, key, ...(body !== undefined && { body }) });
    if (reply.status !== status)
      throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const scopes = ['calendar:read'];
  const { code } = await call(201, 'POST', '/v1/authorize', { agentId, principalId: 'user_1', scopes });
  const root = await call(201, 'POST', '/v1/token', { agentId, code });
  const grants = [root];
  const delegation = { parentGrantToken: root.grantToken, subAgentId: agentId, scopes };
  for (let n = 0; n < CHILDREN; n++) grants.push(await call(201, 'POST', '/v1/grants/delegate', delegation));
  const refreshed = await call(201, 'POST', '/v1/token/refresh', {
    agentId,
    refreshToken: root.refreshToken,
  });
  await call(204, 'DELETE', `/v1/grants/${root.grantId}`);
  return [
    ...[...grants, refreshed].map(({ grantToken }) => `token.issued ${decodeJwt(grantToken).jti}`),
    ...grants.flatMap(({ grantId }) => [`grant.created ${grantId}`, `grant.revoked ${grantId}`]),
  ];
}

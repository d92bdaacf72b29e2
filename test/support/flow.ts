import { randomUUID } from 'node:crypto';
import { untilAvailable, waitFor } from './child.ts';
import type { TestService } from './service.ts';

export interface TokenPair {
  readonly grantToken: string;
  readonly refreshToken: string;
  readonly grantId: string;
  readonly expiresAt: string;
  readonly grantExpiresAt: string;
  readonly scopes: string[];
}

/** A developer with one agent, and the steps of the protocol with its API key. Each step must succeed. */
export interface Party {
  readonly key: string;
  readonly developerId: string;
  readonly agentId: string;
  newAgent(fields?: Record<string, unknown>): Promise<string>;
  authorize(
    fields?: Record<string, unknown>,
  ): Promise<{ authRequestId: string; code?: string; consentUrl: string }>;
  /** authorize → consent. @returns the code */
  consent(fields?: Record<string, unknown>): Promise<string>;
  exchange(code: string, agentId?: string): Promise<TokenPair>;
  /** authorize → consent → exchange. */
  grant(fields?: Record<string, unknown>): Promise<TokenPair>;
  delegate(parentGrantToken: string, fields?: Record<string, unknown>): Promise<TokenPair>;
  verify(token: string): Promise<boolean>;
}

export async function newParty(service: TestService, mode: 'live' | 'sandbox' = 'live'): Promise<Party> {
  const { apiKey: key, developerId } = await service.signup({ mode });
  const call = async (status: number, method: string, path: string, body?: unknown) => {
    const answer = await untilAvailable(() => service.request(method, path, { key, body }));
    if (answer.status !== status)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const newAgent = async (fields: Record<string, unknown> = {}): Promise<string> =>
    (await call(201, 'POST', '/v1/agents', { name: 'Agent', ...fields })).agentId;
  const agentId = await newAgent();
  const party: Party = {
    key,
    developerId,
    agentId,
    newAgent,
    authorize: (fields = {}) =>
      call(201, 'POST', '/v1/authorize', {
        agentId,
        principalId: 'user_1',
        scopes: ['calendar:read'],
        ...fields,
      }),
    async consent(fields) {
      const { authRequestId } = await party.authorize(fields);
      return (await call(200, 'POST', `/v1/consent/${authRequestId}/approve`)).code;
    },
    exchange: (code, agent = agentId) => call(201, 'POST', '/v1/token', { code, agentId: agent }),
    grant: async (fields = {}) =>
      party.exchange(
        await party.consent(fields),
        typeof fields['agentId'] === 'string' ? fields['agentId'] : agentId,
      ),
    delegate: (parentGrantToken, fields = {}) =>
      call(201, 'POST', '/v1/grants/delegate', {
        parentGrantToken,
        subAgentId: agentId,
        scopes: ['calendar:read'],
        ...fields,
      }),
    verify: async (token) => (await call(200, 'POST', '/v1/tokens/verify', { token })).valid,
  };
  return party;
}

/**
 * Causes an anomaly with a grant for a principal that is new to the party's agent. It requests the detection, so that
 * the test does not wait for the regular one. @returns the id of the anomaly
 */
export async function anomalyOf(service: TestService, party: Party): Promise<string> {
  const principalId = `user_${randomUUID()}`;
  await party.grant({ principalId });
  // A detection that another caller began before the grant was made is shared, and does not know of it.
  return waitFor(async () => {
    const { body } = await service.request('POST', '/v1/anomalies/detect', { key: party.key });
    const all: readonly { id: string; principalId: string | null }[] = body.anomalies ?? [];
    return all.find((one) => one.principalId === principalId)?.id;
  });
}

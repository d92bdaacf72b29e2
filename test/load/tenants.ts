import type { Server } from './testbed.ts';

/** The developers of one run. */
export interface Tenants {
  /** The API key of the live developer. */
  readonly key: string;
  readonly agentId: string;
  /** The API key of the sandbox developer. It needs no consent, so an exchange costs two requests. */
  readonly sandboxKey: string;
  readonly sandboxAgentId: string;
  /** Valid grant tokens of the live developer. */
  readonly tokens: readonly string[];
  /** Gives each connection its own refresh token of the sandbox developer. */
  takeRefreshToken(): string;
}

interface Answers {
  apiKey: string;
  agentId: string;
  authRequestId: string;
  code?: string;
  grantToken: string;
  refreshToken: string;
}

const poster =
  (url: string) =>
  async (path: string, body: unknown, key?: string): Promise<Answers> => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Answers;
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };

/**
 * Makes a live and a sandbox developer with an agent each, `tokens` grant tokens, and `refreshTokens` refresh tokens.
 */
export async function makeTenants(
  { url }: Pick<Server, 'url'>,
  { tokens, refreshTokens }: { tokens: number; refreshTokens: number },
): Promise<Tenants> {
  const post = poster(url);
  const { apiKey: key } = await post('/v1/signup', { name: 'Benchmark' });
  const { apiKey: sandboxKey } = await post('/v1/signup', { name: 'Benchmark', mode: 'sandbox' });
  const { agentId } = await post('/v1/agents', { name: 'Agent' }, key);
  const { agentId: sandboxAgentId } = await post('/v1/agents', { name: 'Agent' }, sandboxKey);
  const pair = async (index: number, apiKey: string, agent: string) => {
    const request = { agentId: agent, principalId: `user_${index}`, scopes: ['calendar:read', 'email:send'] };
    const { authRequestId, code } = await post('/v1/authorize', request, apiKey);
    const approved = code ?? (await post(`/v1/consent/${authRequestId}/approve`, {})).code;
    return post('/v1/token', { code: approved, agentId: agent }, apiKey);
  };
  const grantTokens = await inTurns(tokens, async (i) => (await pair(i, key, agentId)).grantToken);
  const chains = await inTurns(
    refreshTokens,
    async (i) => (await pair(i, sandboxKey, sandboxAgentId)).refreshToken,
  );
  return {
    key,
    agentId,
    sandboxKey,
    sandboxAgentId,
    tokens: grantTokens,
    takeRefreshToken() {
      const next = chains.pop();
      if (next === undefined) throw new Error('no refresh token is left: make more');
      return next;
    },
  };
}

async function inTurns(count: number, make: (index: number) => Promise<string>): Promise<string[]> {
  const made: string[] = [];
  for (let begun = 0; begun < count; begun += 16)
    made.push(
      ...(await Promise.all(Array.from({ length: Math.min(16, count - begun) }, (_, i) => make(begun + i)))),
    );
  return made;
}

/** Adds agents that have each sent one request, so that each has its own series in `/metrics`. */
export async function addAgents({ url }: Server, count: number): Promise<void> {
  const post = poster(url);
  const { apiKey } = await post('/v1/signup', { name: 'Benchmark of many agents' });
  await inTurns(count, async (i) => {
    const { agentId } = await post('/v1/agents', { name: `Agent ${i}` }, apiKey);
    await post('/v1/authorize', { agentId, principalId: 'user_1', scopes: ['calendar:read'] }, apiKey);
    return agentId;
  });
}

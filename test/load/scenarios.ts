import type { Request } from 'autocannon';
import type { Tenants } from './tenants.ts';

export interface Scenario {
  readonly name: string;
  /** The number of requests in one piece of work. Figures are per piece of work. */
  readonly steps: number;
  /** The design target: CPU time per piece of work as a multiple of the bare server's. */
  readonly target?: number;
  requests(tenants: Tenants): Request[];
}

const JSON_BODY = { 'content-type': 'application/json' };
const bearer = (key: string) => ({ ...JSON_BODY, authorization: `Bearer ${key}` });

export const SCENARIOS: readonly Scenario[] = [
  { name: 'health', steps: 1, requests: () => [{ method: 'GET', path: '/health' }] },
  {
    name: 'verify',
    steps: 1,
    target: 5,
    requests({ key, tokens }) {
      const bodies = tokens.map((token) => JSON.stringify({ token }));
      let turn = 0;
      return [
        {
          method: 'POST',
          path: '/v1/tokens/verify',
          headers: bearer(key),
          setupRequest: (request) => ({ ...request, body: bodies[turn++ % bodies.length] ?? '' }),
        },
      ];
    },
  },
  {
    name: 'authorize',
    steps: 1,
    target: 8,
    requests: ({ key, agentId }) => [
      { method: 'POST', path: '/v1/authorize', headers: bearer(key), body: authorizeBody(agentId) },
    ],
  },
  {
    name: 'authorize + exchange',
    steps: 2,
    target: 25,
    requests: ({ sandboxKey, sandboxAgentId: agentId }) => [
      {
        method: 'POST',
        path: '/v1/authorize',
        headers: bearer(sandboxKey),
        body: authorizeBody(agentId),
        onResponse: (_status, body, context) => {
          Object.assign(context, { code: JSON.parse(body).code });
        },
      },
      {
        method: 'POST',
        path: '/v1/token',
        headers: bearer(sandboxKey),
        setupRequest: (request, context) => ({
          ...request,
          body: JSON.stringify({ agentId, code: (context as { code?: string }).code }),
        }),
      },
    ],
  },
  {
    name: 'refresh',
    steps: 1,
    target: 18,
    requests({ sandboxKey, sandboxAgentId: agentId, takeRefreshToken }) {
      // For a single request, the load generator makes a new context each time. So this scenario stores the token
      // itself.
      const next: string[] = [];
      return [
        {
          method: 'POST',
          path: '/v1/token/refresh',
          headers: bearer(sandboxKey),
          setupRequest: (request) => ({
            ...request,
            body: JSON.stringify({ agentId, refreshToken: next.pop() ?? takeRefreshToken() }),
          }),
          onResponse: (_status, body) => {
            next.push(JSON.parse(body).refreshToken);
          },
        },
      ];
    },
  },
  { name: 'scrape', steps: 1, target: 20, requests: () => [{ method: 'GET', path: '/metrics' }] },
];

const authorizeBody = (agentId: string) =>
  JSON.stringify({
    agentId,
    principalId: 'user_1',
    scopes: ['calendar:read', 'email:send'],
    redirectUri: 'https://app.example.com/callback',
    state: 'a-state-of-twenty-one',
  });

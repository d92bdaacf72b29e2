import type { Request } from 'autocannon';
import type { Tenants } from './tenants.ts';

/** The most CPU time of the service as a multiple of the floor's, with all telemetry and without. */
interface Goal {
  readonly full: number;
  readonly off: number;
}

export interface Scenario {
  readonly name: string;
  /** The number of requests in one piece of work. Figures are per piece of work. */
  readonly steps: number;
  /** Absent: the floor does not do this work. */
  readonly goal?: Goal;
  /** Present for work that signs a token. It is then measured with this algorithm too. */
  readonly goalOfEs256?: Goal;
  requests(tenants: Tenants): Request[];
}

const JSON_BODY = { 'content-type': 'application/json' };
const FORM_BODY = { 'content-type': 'application/x-www-form-urlencoded' };
const bearer = (key: string) => ({ ...JSON_BODY, authorization: `Bearer ${key}` });

export const SCENARIOS: readonly Scenario[] = [
  { name: 'health', steps: 1, requests: () => [{ method: 'GET', path: '/health' }] },
  {
    name: 'verify',
    steps: 1,
    goal: { full: 1.8, off: 1.25 },
    requests: ({ key, tokens }) => [
      {
        method: 'POST',
        path: '/v1/tokens/verify',
        headers: bearer(key),
        setupRequest: inTurn(tokens.map((token) => JSON.stringify({ token }))),
      },
    ],
  },
  {
    name: 'introspect',
    steps: 1,
    requests: ({ key, tokens }) => [
      {
        method: 'POST',
        path: '/oauth/introspect',
        headers: { ...bearer(key), ...FORM_BODY },
        setupRequest: inTurn(tokens.map((token) => new URLSearchParams({ token }).toString())),
      },
    ],
  },
  {
    name: 'authorize',
    steps: 1,
    goal: { full: 1.6, off: 1.2 },
    requests: ({ key, agentId }) => [
      { method: 'POST', path: '/v1/authorize', headers: bearer(key), body: authorizeBody(agentId) },
    ],
  },
  {
    name: 'authorize + exchange',
    steps: 2,
    goal: { full: 1.2, off: 1.1 },
    goalOfEs256: { full: 1.4, off: 1.2 },
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
    goal: { full: 1.2, off: 1.1 },
    goalOfEs256: { full: 1.4, off: 1.2 },
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
  { name: 'scrape', steps: 1, requests: () => [{ method: 'GET', path: '/metrics' }] },
];

/** Sends each of the bodies in turn. */
function inTurn(bodies: readonly string[]): Request['setupRequest'] {
  let turn = 0;
  return (request) => ({ ...request, body: bodies[turn++ % bodies.length] ?? '' });
}

const authorizeBody = (agentId: string) =>
  JSON.stringify({
    agentId,
    principalId: 'user_1',
    scopes: ['calendar:read', 'email:send'],
    redirectUri: 'https://app.example.com/callback',
    state: 'a-state-of-twenty-one',
  });

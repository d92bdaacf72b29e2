import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { SECRET_KEY, startService, type TestService } from '../support/service.ts';
import { makeTenants, type Tenants } from './tenants.ts';
import { type OwnServer, startScript } from './testbed.ts';

const ISSUER = 'https://auth.example.com';

const undo = new AsyncDisposableStack();
let service: TestService;
let floor: OwnServer;
let tenants: Tenants;

beforeAll(async () => {
  const env = { JWT_ISSUER: ISSUER, SIGNING_ALGORITHM: 'ES256' };
  const database = await createTestDatabase();
  undo.defer(() => database.drop());
  [service, floor] = await Promise.all([
    startService({ env, database }),
    startScript(new URL('floor.ts', import.meta.url), [], {
      ...env,
      PATH: process.env['PATH'],
      DATABASE_URL: database.url,
      SECRET_KEY,
      PORT: '0',
    }),
  ]);
  undo.defer(async () => void (await service.stop()));
  undo.defer(() => floor.end());
  tenants = await makeTenants(service, { tokens: 1, refreshTokens: 2 });
});

afterAll(() => undo.disposeAsync());

interface Answered {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Record<string, unknown>;
}

async function post(url: string, path: string, key: string, body: object): Promise<Answered> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const members = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, headers: [...answer.headers.keys()].sort(), body: members };
}

/** What two answers of the same kind have in common: all but ids, secrets, times and where the service listens. */
const alike = ({ status, headers, body }: Answered) => ({
  status,
  headers,
  members: Object.keys(body),
  kinds: Object.values(body).map((value) => (typeof value === 'string' ? value.length : value)),
});
/** `consentUrl` has the port, whose length differs. */
const withoutPort = ({ body: { consentUrl: _, ...body }, ...rest }: Answered): Answered => ({
  ...rest,
  body,
});

test('the floor answers a verification with the same bytes as the service', async () => {
  const { key, tokens } = tenants;
  const [token] = tokens;
  const [ours, bare] = await Promise.all(
    [service.url, floor.url].map((url) => post(url, '/v1/tokens/verify', key, { token })),
  );
  expect(bare).toEqual(ours);
  expect(bare?.body).toMatchObject({ valid: true, principal: 'user_0' });
});

test('the floor authorizes and exchanges as the service does, and each accepts what the other made', async () => {
  const { sandboxKey: key, sandboxAgentId: agentId } = tenants;
  const asked = {
    agentId,
    principalId: 'user_9',
    scopes: ['a:b'],
    redirectUri: 'https://a.example/cb',
    state: 's',
  };
  const ours = await post(service.url, '/v1/authorize', key, asked);
  const bare = await post(floor.url, '/v1/authorize', key, asked);
  expect(bare.status).toBe(201);
  expect(alike(withoutPort(bare))).toEqual(alike(withoutPort(ours)));

  const exchanged = await post(service.url, '/v1/token', key, { agentId, code: bare.body['code'] });
  const bareExchanged = await post(floor.url, '/v1/token', key, { agentId, code: ours.body['code'] });
  expect(bareExchanged.status).toBe(201);
  expect(alike(bareExchanged)).toEqual(alike(exchanged));

  const token = bareExchanged.body['grantToken'];
  expect((await post(service.url, '/v1/tokens/verify', key, { token })).body).toMatchObject({
    valid: true,
    grantId: bareExchanged.body['grantId'],
    scopes: ['a:b'],
  });
  const [header] = String(token).split('.');
  expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toMatchObject({ alg: 'ES256' });
});

test('the floor rotates a refresh token as the service does, once', async () => {
  const { sandboxKey: key, sandboxAgentId: agentId } = tenants;
  const refreshToken = tenants.takeRefreshToken();
  const ours = await post(service.url, '/v1/token/refresh', key, {
    agentId,
    refreshToken: tenants.takeRefreshToken(),
  });
  const bare = await post(floor.url, '/v1/token/refresh', key, { agentId, refreshToken });
  expect(bare.status).toBe(201);
  expect(alike(bare)).toEqual(alike(ours));

  const refused = await fetch(`${floor.url}/v1/token/refresh`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ agentId, refreshToken }),
  });
  expect(refused.status).toBe(500);
});

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SentSpan, type Sink, sentLogs, sentSpans } from '../instrumentation/child.ts';
import { newParty, type Party } from '../support/flow.ts';
import { type Answer, type TestService, waitFor } from '../support/service.ts';
import { startTracedService, type TracedService } from './traced-service.ts';

let running: TracedService;
let sink: Sink;
let service: TestService;
let party: Party;
beforeAll(async () => {
  running = await startTracedService({ OTEL_BLRP_SCHEDULE_DELAY: '100' });
  ({ service, sink } = running);
  party = await newParty(service);
});
afterAll(() => running?.stop());

const SERVER = 2;
const CLIENT = 3;
const isDatabase = ({ attributes }: SentSpan) => attributes['db.system.name'] !== undefined;

/** Sends one request with a name of its own, and waits for all spans of its trace. */
async function traced(
  path: string,
  body: object,
  key = party.key,
): Promise<{ answer: Answer; spans: SentSpan[] }> {
  const known = new Set(sentSpans(sink).map(({ traceId }) => traceId));
  const answer = await service.request('POST', path, { key, body });
  // The server span ends last, so its children are sent before it or with it.
  const spans = await waitFor(() => {
    const fresh = sentSpans(sink).filter(({ traceId }) => !known.has(traceId));
    const server = fresh.find(({ name, kind }) => kind === SERVER && name === `POST ${path}`);
    return server && fresh.filter(({ traceId }) => traceId === server.traceId);
  });
  return { answer, spans };
}

/** The tree as names: `[name, children]`, siblings by name. */
type Tree = [string, Tree[]];
const childrenOf = (spans: SentSpan[], parent: SentSpan | undefined): Tree[] =>
  spans
    .filter((span) =>
      parent
        ? span.parentSpanId === parent.spanId
        : !spans.some(({ spanId }) => spanId === span.parentSpanId),
    )
    .map((span): Tree => [span.name, childrenOf(spans, span)])
    .sort(([a], [b]) => (a < b ? -1 : 1));

test('each hot path is one server span, one operation, and exactly one statement', async () => {
  const { agentId } = party;
  const code = await party.consent();
  const asked = await traced('/v1/authorize', { agentId, principalId: 'user_1', scopes: ['calendar:read'] });
  expect(asked.answer.status).toBe(201);
  expect(childrenOf(asked.spans, undefined)).toEqual([
    ['POST /v1/authorize', [['grantex.authorize', [['INSERT authorization_requests', []]]]]],
  ]);

  // A policy that decides costs no statement more, whichever way it decides.
  const ruled = await newParty(service);
  const decisions: [string, number, string][] = [
    ['allow', 201, 'user_1'],
    ['deny', 403, 'user_2'],
  ];
  for (const [effect, status, principalId] of decisions) {
    const { key } = ruled;
    await service.request('POST', '/v1/policies', { key, body: { name: 'P', effect, principalId } });
    const { answer, spans } = await traced(
      '/v1/authorize',
      { agentId: ruled.agentId, principalId, scopes: ['calendar:read'] },
      key,
    );
    expect(answer.status).toBe(status);
    expect(childrenOf(spans, undefined)).toEqual(childrenOf(asked.spans, undefined));
  }

  const exchanged = await traced('/v1/token', { code, agentId });
  expect(exchanged.answer.status).toBe(201);
  expect(childrenOf(exchanged.spans, undefined)).toEqual([
    [
      'POST /v1/token',
      [
        [
          'grantex.token.exchange',
          [
            ['UPDATE authorization_requests', []],
            ['grantex.token.sign', []],
          ],
        ],
      ],
    ],
  ]);

  const { refreshToken } = exchanged.answer.body;
  const refreshed = await traced('/v1/token/refresh', { refreshToken, agentId });
  expect(refreshed.answer.status).toBe(201);
  expect(childrenOf(refreshed.spans, undefined)).toEqual([
    [
      'POST /v1/token/refresh',
      [
        [
          'grantex.token.refresh',
          [
            ['UPDATE refresh_tokens', []],
            ['grantex.token.sign', []],
          ],
        ],
      ],
    ],
  ]);

  const verified = await traced('/v1/tokens/verify', { token: refreshed.answer.body.grantToken });
  expect(verified.answer.body.valid).toBe(true);
  expect(childrenOf(verified.spans, undefined)).toEqual([
    ['POST /v1/tokens/verify', [['grantex.token.verify', [['SELECT tokens', []]]]]],
  ]);

  for (const { spans } of [asked, exchanged, refreshed, verified]) {
    const [statement, ...more] = spans.filter(isDatabase);
    expect(more).toEqual([]);
    expect(statement).toMatchObject({
      kind: CLIENT,
      attributes: { 'db.system.name': 'postgresql', 'db.query.text': expect.stringContaining('$1') },
    });
  }
});

test('attributes: agent, grant and developer, but no principal; an expected refusal is no error', async () => {
  const { agentId, developerId } = party;
  const { spans, answer } = await traced('/v1/token', { code: await party.consent(), agentId });
  const operation = spans.find(({ name }) => name === 'grantex.token.exchange');
  expect(operation?.attributes).toMatchObject({
    'grantex.agent_id': agentId,
    'grantex.developer_id': developerId,
    'grantex.grant_id': answer.body.grantId,
  });
  for (const { attributes } of spans) expect(attributes).not.toHaveProperty('grantex.principal_id');

  const refused = await traced('/v1/token', { code: 'unknown', agentId });
  expect(refused.answer.status).toBe(400);
  const failed = refused.spans.find(({ name }) => name === 'grantex.token.exchange');
  expect(failed?.attributes).toMatchObject({ 'error.type': 'BAD_REQUEST' });
  // 2 is an error status.
  expect(refused.spans.filter(({ status }) => status.code === 2)).toEqual([]);
});

test('a caller cannot choose the trace', async () => {
  const traceId = 'ab'.repeat(16);
  const headers = { traceparent: `00-${traceId}-${'cd'.repeat(8)}-01` };
  await service.request('GET', '/v1/me', { key: party.key, headers });
  await waitFor(() => sentSpans(sink).find(({ name }) => name === 'GET /v1/me'));
  expect(sentSpans(sink).filter((span) => span.traceId === traceId)).toEqual([]);
});

test('no secret of the whole flow stands in a log line, a span, a log record or the scrape', async () => {
  const owner = await newParty(service);
  const mark = 'canary7f3a';
  const verifier = `${mark}-verifier-${'v'.repeat(43)}`;
  const wrong = `${mark}-wrong-${'w'.repeat(43)}`;
  const secrets = new Map<string, string>([
    ['API key', owner.key],
    ['verifier', verifier],
  ]);
  const request = async (status: number, method: string, path: string, body?: unknown) => {
    const answer = await service.request(method, path, { key: owner.key, body });
    expect([path, answer.status]).toEqual([path, status]);
    return answer.body;
  };
  const agentId = await owner.newAgent();
  const wanted = { agentId, principalId: `${mark}-principal`, scopes: ['calendar:read'] };
  const undecided = await request(201, 'POST', '/v1/authorize', wanted);
  await request(200, 'GET', `/v1/consent/${undecided.authRequestId}`);
  secrets.set('consent id', undecided.authRequestId);
  const asked = await request(201, 'POST', '/v1/authorize', {
    ...wanted,
    state: `${mark}-state`,
    redirectUri: `https://app.example.com/${mark}-redirect`,
    codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
    codeChallengeMethod: 'S256',
  });
  const id = asked.authRequestId;
  secrets.set('state', `${mark}-state`).set('redirect', `${mark}-redirect`);
  await request(200, 'GET', `/consent?req=${id}&${mark}-query=1`);
  secrets.set('query string', `${mark}-query`);
  await request(200, 'GET', `/v1/consent/${id}`);
  const { code } = await request(200, 'POST', `/v1/consent/${id}/approve`);
  secrets.set('code', code);
  await request(410, 'GET', `/v1/consent/${id}`);
  await request(400, 'POST', '/v1/token', { code, agentId, codeVerifier: wrong });
  secrets.set('wrong verifier', wrong);
  const first = await request(201, 'POST', '/v1/token', { code, agentId, codeVerifier: verifier });
  const second = await request(201, 'POST', '/v1/token/refresh', {
    refreshToken: first.refreshToken,
    agentId,
  });
  const child = await request(201, 'POST', '/v1/grants/delegate', {
    parentGrantToken: second.grantToken,
    subAgentId: agentId,
    scopes: ['calendar:read'],
  });
  for (const [n, pair] of [first, second, child].entries()) {
    secrets.set(`grant token ${n}`, pair.grantToken.split('.')[2]);
    secrets.set(`claims ${n}`, pair.grantToken.split('.')[1]);
    secrets.set(`refresh token ${n}`, pair.refreshToken);
  }
  await request(200, 'POST', '/v1/tokens/verify', { token: second.grantToken });
  await request(200, 'POST', '/v1/tokens/verify', { token: `${mark}-garbage` });
  secrets.set('garbage token', `${mark}-garbage`);
  await request(200, 'POST', '/v1/grants/verify', { token: child.grantToken });
  const { sessionToken } = await request(201, 'POST', '/v1/principal-sessions', {
    principalId: `${mark}-principal`,
  });
  secrets.set('session claims', sessionToken.split('.')[1]).set('session', sessionToken.split('.')[2]);
  for (const path of ['/v1/principal/grants', '/v1/principal/audit'])
    expect((await service.request('GET', path, { key: sessionToken })).status).toBe(200);
  await request(400, 'POST', '/v1/token', `{"code":"${mark}-body`);
  secrets.set('malformed body', `${mark}-body`);
  await request(404, 'GET', `/nowhere/${mark}-path?${mark}-query`);
  secrets.set('unknown path', `${mark}-path`);
  await service.request('GET', '/v1/me', { key: `gx_live_${mark}-key` });
  secrets.set('wrong key', `${mark}-key`);
  await request(400, 'POST', '/v1/token/refresh', { refreshToken: first.refreshToken, agentId });
  const rotated = await request(200, 'POST', '/v1/keys/rotate');
  secrets.set('new API key', rotated.apiKey);

  await service.logged('grant.revoked');
  // The rotation is the last request of the flow: when its span and the revocation's record are here, so is the rest.
  await waitFor(() => sentSpans(sink).find(({ name }) => name === 'POST /v1/keys/rotate'));
  await waitFor(() => sentLogs(sink).find(({ body }) => body === 'grant.revoked'));
  const places: [string, string][] = [
    ['stdout', service.stdout.join('\n')],
    ...(['traces', 'logs'] as const).map((signal): [string, string] => [
      signal,
      sink.received
        .filter(({ path }) => path.endsWith(`/v1/${signal}`))
        .map(({ body }) => body.toString())
        .join('\n'),
    ]),
    ['scrape', (await service.scrape()).text],
  ];
  // Each place has something of this flow in it, or searching it would prove nothing.
  const witness = { stdout: agentId, traces: agentId, logs: agentId, scrape: agentId };
  for (const [place, text] of places)
    expect([place, text.includes(witness[place as keyof typeof witness])]).toEqual([place, true]);
  expect(
    sentSpans(sink).some(({ attributes }) => attributes['grantex.developer_id'] === owner.developerId),
  ).toBe(true);
  const found = places.flatMap(([place, text]) =>
    [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => `${name} in ${place}`),
  );
  expect(found).toEqual([]);
  // The id of a request is a secret until somebody has decided. Only the line of the decision names it, and the URL of a request never.
  const naming = service.stdout.filter((line) => line.includes(id)).map((line) => JSON.parse(line).msg);
  expect(naming).toEqual(['consent.decided']);
});

test('no span has a query string or a consent id in any attribute', async () => {
  const { authRequestId } = await party.authorize();
  const before = sentSpans(sink).filter(({ name }) => name === 'GET /consent').length;
  expect((await service.request('GET', `/consent?req=${authRequestId}`)).status).toBe(200);
  const spans = await waitFor(() => {
    const sent = sentSpans(sink);
    return sent.filter(({ name }) => name === 'GET /consent').length > before ? sent : undefined;
  });
  const values = spans.flatMap(({ attributes }) => Object.entries(attributes));
  expect(values.filter(([key]) => key === 'url.query')).toEqual([]);
  expect(values.filter(([, value]) => /areq_|[?&]req=/.test(JSON.stringify(value)))).toEqual([]);
});

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anomalyOf, newParty, type Party } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { startService, type TestService, temporaryDirectory } from '../support/service.ts';
import { installPython, runProgram } from './python.ts';
import { type Hints, schemathesisConfig } from './schemathesis/config.ts';

/** The number of examples for each operation and kind. The seed makes a run repeatable. */
const EXAMPLES = Number(process.env['SCHEMATHESIS_EXAMPLES'] ?? 15);
const SEED = Number(process.env['SCHEMATHESIS_SEED'] ?? 20_260_101);

let python: string;
let service: TestService;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  python = await installPython('schemathesis', new URL('schemathesis/requirements.txt', import.meta.url));
  directory = await temporaryDirectory();
  service = await startService();
});
afterAll(async () => {
  await service?.stop();
  await directory?.remove();
});

const times = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

/** Real objects for the generated requests. Objects that requests use up or remove exist several times. */
async function hintsFor(party: Party): Promise<Hints> {
  const { agentId, key } = party;
  const pairs = await times(6, () => party.grant());
  const [pair] = pairs;
  if (!pair) throw new Error('no grant was made');
  const entry = await service.request('POST', '/v1/audit/log', {
    key,
    body: { agentId, grantId: pair.grantId, action: 'mail.sent' },
  });
  const pending = async () => (await party.authorize()).authRequestId;
  const webhook = async () => {
    const body = { url: 'https://hooks.invalid/', events: ['grant.revoked'] };
    return (await service.request('POST', '/v1/webhooks', { key, body })).body.id;
  };
  // This agent has no tokens of the other hints, because a generated change may suspend it.
  const agent = { values: { 'path.id': [await party.newAgent()] }, meaning: 'a change of nothing is none' };
  return {
    'PATCH /v1/agents/{id}': agent,
    'POST /v1/agents/{id}': agent,
    'GET /v1/agents/{id}': { values: { 'path.id': [agentId] } },
    'DELETE /v1/agents/{id}': { values: { 'path.id': await times(4, () => party.newAgent()) } },
    'POST /v1/authorize': {
      values: { 'body.agentId': [agentId] },
      meaning: 'PKCE comes as a pair; a redirect URI is more than a pattern',
    },
    'POST /v1/authorize/{id}/approve': { values: { 'path.id': await times(4, pending) } },
    'POST /v1/authorize/{id}/deny': { values: { 'path.id': await times(4, pending) } },
    'POST /v1/webhooks': { meaning: 'which URLs webhooks may go to is more than a schema can say' },
    'DELETE /v1/webhooks/{id}': { values: { 'path.id': await times(4, webhook) } },
    'POST /v1/webhooks/{id}/rotate-secret': { values: { 'path.id': [await webhook()] } },
    'GET /v1/webhooks/{id}': { values: { 'path.id': [await webhook()] } },
    'GET /v1/webhooks/{id}/deliveries': { values: { 'path.id': [await webhook()] }, meaning: DEPTH },
    'GET /v1/agents': { meaning: DEPTH },
    'GET /v1/grants': { meaning: `since and until are times, and ${DEPTH}` },
    'PATCH /v1/anomalies/{id}/acknowledge': { values: { 'path.id': [await anomalyOf(service, party)] } },
    'GET /consent': { values: { 'query.req': [await pending()] } },
    'GET /v1/consent/{id}': { values: { 'path.id': [await pending()] } },
    'POST /v1/consent/{id}/approve': { values: { 'path.id': await times(4, pending) } },
    'POST /v1/consent/{id}/deny': { values: { 'path.id': await times(4, pending) } },
    'POST /v1/token': {
      values: { 'body.code': await times(8, () => party.consent()), 'body.agentId': [agentId] },
      meaning: 'a code works once',
    },
    'POST /v1/token/refresh': {
      values: {
        'body.refreshToken': (await times(8, () => party.grant())).map((of) => of.refreshToken),
        'body.agentId': [agentId],
      },
      meaning: 'a refresh token works once',
    },
    'POST /v1/tokens/verify': { values: { 'body.token': [pair.grantToken] } },
    'POST /v1/tokens/revoke': {
      values: { 'body.jti': pairs.slice(1, 3).map(({ grantToken }) => String(decodeJwt(grantToken).jti)) },
    },
    'GET /v1/revocations/status': {
      values: { 'query.grantId': [pair.grantId] },
      meaning: 'it is a question about one of the two',
    },
    'POST /v1/grants/verify': {
      values: { 'body.token': [pair.grantToken] },
      meaning: 'a token that cannot be decoded is refused',
    },
    'POST /v1/grants/delegate': {
      values: {
        'body.parentGrantToken': pairs.map(({ grantToken }) => grantToken),
        'body.subAgentId': [agentId],
        'body.scopes[*]': ['calendar:read'],
        'body.expiresIn': ['30m', '1h'],
      },
      meaning: 'scopes are those of the parent',
    },
    'GET /v1/grants/{id}': { values: { 'path.id': [pair.grantId] } },
    'DELETE /v1/grants/{id}': { values: { 'path.id': pairs.slice(3).map(({ grantId }) => grantId) } },
    'POST /v1/keys': { meaning: 'a key that ends lives ten years at most' },
    'POST /v1/principal-sessions': { meaning: 'a session lasts a day at most' },
    'POST /v1/audit/log': {
      values: { 'body.agentId': [agentId], 'body.grantId': [pair.grantId] },
      meaning: 'an entry about what is not yours says who acted and for whom',
    },
    'GET /v1/audit/entries': {
      values: { 'query.agentId': [agentId] },
      meaning: `since and until are times, and ${DEPTH}`,
    },
    'GET /v1/audit/verify': { meaning: 'since and until are times' },
    'GET /v1/audit/checkpoints': { meaning: `since and until are times, and ${DEPTH}` },
    'GET /v1/compliance/summary': { meaning: 'since and until are times' },
    'GET /v1/compliance/export/grants': { meaning: 'since and until are times' },
    'GET /v1/compliance/export/audit': { meaning: 'since and until are times' },
    'GET /v1/compliance/evidence-pack': { meaning: 'since and until are times' },
    'GET /v1/audit/{id}': { values: { 'path.id': [entry.body.entryId] } },
  };
}

interface Report {
  readonly complete: boolean;
  readonly operations: { readonly total: number; readonly tested: number; readonly errored: number };
  readonly test_cases: { readonly generated: number; readonly errored: number };
  readonly failures: readonly unknown[];
  readonly errors: readonly unknown[];
  /** The number of accepted requests with valid data, by operation and phase. */
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, { readonly accepted: number }>>>>;
}

async function schemathesis(
  key: string,
  hints: Hints,
  ...args: string[]
): Promise<{ code: number | null; output: string; report: Report }> {
  const file = (name: string) => join(directory.path, name);
  await writeFile(file('schemathesis.toml'), schemathesisConfig({ key, hints }));
  const { code, output } = await runProgram(
    python,
    [
      ...['-m', 'schemathesis.cli', '--config-file', file('schemathesis.toml')],
      ...['run', `${service.url}/openapi.json`, '--no-color'],
      ...['--max-examples', String(EXAMPLES), '--seed', String(SEED)],
      ...['--report', 'json', '--report-json-path', file('report.json')],
      ...args,
    ],
    { cwd: directory.path },
  );
  const report = await readFile(file('report.json'), 'utf8').catch(() => {
    throw new Error(`schemathesis ended with ${code} and without a report: ${output}`);
  });
  return { code, output, report: JSON.parse(report) };
}

const neverAccepted = ({ valid_rates }: Report) =>
  Object.entries(valid_rates)
    .filter(([, phases]) => Object.values(phases).every(({ accepted }) => accepted === 0))
    .map(([operation]) => operation);

/** The log lines of a level, without those about receivers that do not exist. */
const linesOf = (level: string) =>
  service.logs.filter((line) => line.level === level && line.msg !== 'webhook.delivery_failed');

const DEPTH = 'pages end with the 10,000th object';

/** These make the key of all other requests invalid, so they have a separate run. */
const ROTATION = '^/v1/keys/';
/** These operations need the session token of a principal. */
const PRINCIPAL = '^/v1/principal/';
/** It revokes the grants of all other requests. */
const STOP = '^/v1/grants/revoke$';
/** A stream has no end, and a poll may wait for 30 s. The requests of test/contract reach them. */
const FEED = '^/v1/(revocations|revocations/stream|events/stream)$';
/** A generated policy may deny all other requests. */
const POLICIES = '^/v1/policies';

test('no operation answers otherwise than /openapi.json says, and each is reached', async () => {
  const party = await newParty(service, 'sandbox');
  const { code, output, report } = await schemathesis(
    party.key,
    await hintsFor(party),
    ...['--exclude-path-regex', `${POLICIES}|${PRINCIPAL}|${ROTATION}|${STOP}|${FEED}`],
  );
  expect(report.failures, output).toEqual([]);
  expect(report, output).toMatchObject({ complete: true, errors: [], operations: { errored: 0 } });
  expect(report.operations.tested).toBe(report.operations.total - 14);
  expect(report.test_cases.generated).toBeGreaterThan(20 * report.operations.tested);
  expect(neverAccepted(report)).toEqual([]);
  expect([code, linesOf('error'), linesOf('fatal')]).toEqual([0, [], []]);
}, 600_000);

test('nor does the emergency stop', async () => {
  const { apiKey } = await service.signup();
  const hints = { 'POST /v1/grants/revoke': { meaning: 'it names what it stops in one way' } };
  const { code, output, report } = await schemathesis(apiKey, hints, '--include-path-regex', STOP);
  expect(report.failures, output).toEqual([]);
  expect(report, output).toMatchObject({ complete: true, errors: [], operations: { tested: 1, errored: 0 } });
  expect([code, linesOf('error'), linesOf('fatal')]).toEqual([0, [], []]);
}, 600_000);

test('nor do the rotation and the removal of keys', async () => {
  const { apiKey } = await service.signup();
  const { code, output, report } = await schemathesis(apiKey, {}, '--include-path-regex', ROTATION);
  expect(report.failures, output).toEqual([]);
  expect(report, output).toMatchObject({ complete: true, errors: [], operations: { tested: 2, errored: 0 } });
  expect((await service.request('GET', '/v1/me', { key: apiKey })).status).toBe(401);
  expect([code, linesOf('error'), linesOf('fatal')]).toEqual([0, [], []]);
}, 600_000);

test('nor do policies', async () => {
  const { key, agentId } = await newParty(service);
  const policy = async () => {
    const body = { name: 'Rule', effect: 'deny' };
    return (await service.request('POST', '/v1/policies', { key, body })).body.id;
  };
  const hints = {
    'POST /v1/policies': { values: { 'body.agentId': [agentId] } },
    'GET /v1/policies/{id}': { values: { 'path.id': [await policy()] } },
    'PATCH /v1/policies/{id}': { values: { 'path.id': [await policy()], 'body.agentId': [agentId] } },
    'DELETE /v1/policies/{id}': { values: { 'path.id': await times(4, policy) } },
  };
  const { code, output, report } = await schemathesis(key, hints, '--include-path-regex', POLICIES);
  expect(report.failures, output).toEqual([]);
  expect(report).toMatchObject({ complete: true, errors: [], operations: { tested: 5, errored: 0 } });
  expect(neverAccepted(report)).toEqual([]);
  expect([code, linesOf('error'), linesOf('fatal')]).toEqual([0, [], []]);
}, 600_000);

test('nor do the routes of a principal', async () => {
  const party = await newParty(service);
  const grants = await times(4, () => party.grant());
  const { body } = await service.request('POST', '/v1/principal-sessions', {
    key: party.key,
    body: { principalId: 'user_1' },
  });
  const hints = {
    'DELETE /v1/principal/grants/{id}': { values: { 'path.id': grants.map(({ grantId }) => grantId) } },
    'GET /v1/principal/audit': { meaning: DEPTH },
    'GET /v1/principal/grants': { meaning: DEPTH },
  };
  const args = ['--include-path-regex', PRINCIPAL] as const;
  const { code, output, report } = await schemathesis(body.sessionToken, hints, ...args);
  expect(report.failures, output).toEqual([]);
  expect(report).toMatchObject({ complete: true, errors: [], operations: { tested: 3, errored: 0 } });
  expect(neverAccepted(report)).toEqual([]);
  expect([code, linesOf('error'), linesOf('fatal')]).toEqual([0, [], []]);
}, 600_000);

test('after all of it, counters and gauges say what the rows say', () => expectReconciled(service));

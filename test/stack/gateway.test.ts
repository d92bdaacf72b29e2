import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../failover/free-ports.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, temporaryDirectory, waitFor } from '../support/service.ts';

const EXAMPLE = new URL('../../deploy/examples/gateway/', import.meta.url);
const AUDIENCE = 'https://calendar.example.com';

let service: TestService;
let party: Party;
let stranger: Party;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let api: Server;
let gateway: ReturnType<typeof spawn>;
let url: string;
/** What reached the API, in order. */
const reached: IncomingHttpHeaders[] = [];
beforeAll(async () => {
  service = await startService();
  [party, stranger] = await Promise.all([newParty(service), newParty(service)]);
  directory = await temporaryDirectory();
  // The workers of nginx are another user.
  await chmod(directory.path, 0o755);
  api = createServer((request, response) => {
    reached.push(request.headers);
    response.end('the events of today');
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  await startGateway();
});
afterAll(async () => {
  if (gateway && gateway.exitCode === null) {
    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
  }
  api?.close();
  await service?.stop();
  await directory?.remove();
});

/** The example as it is, but for addresses and directories. */
async function startGateway(): Promise<void> {
  const [port = 0] = await freePorts(1);
  const at = (name: string) => join(directory.path, name);
  const apiAddress = api.address();
  if (apiAddress === null || typeof apiAddress === 'string') throw new Error('the API does not listen');
  const replacements: [string, string][] = [
    ['127.0.0.1:3001', new URL(service.url).host],
    ['127.0.0.1:8081', `127.0.0.1:${apiAddress.port}`],
    ['listen 8080', `listen 127.0.0.1:${port}`],
    ['/etc/nginx/grantex', at('')],
    ['/var/cache/nginx/grantex', at('cache')],
    ['/var/log/nginx/access.log', at('access.log')],
  ];
  const text = replacements.reduce(
    (conf, [from, to]) => {
      expect(conf).toContain(from);
      return conf.replaceAll(from, to);
    },
    await readFile(new URL('nginx.conf', EXAMPLE), 'utf8'),
  );
  await mkdir(at('cache'));
  await writeFile(at('nginx.conf'), text);
  await writeFile(at('introspection.njs'), await readFile(new URL('introspection.njs', EXAMPLE)));
  await writeFile(at('api-key.conf'), `proxy_set_header Authorization "Bearer ${party.key}";\n`, {
    mode: 0o600,
  });
  const settings = `daemon off; pid ${at('pid')};`;
  gateway = spawn(
    'nginx',
    ['-p', directory.path, '-c', at('nginx.conf'), '-e', at('error.log'), '-g', settings],
    {
      stdio: 'inherit',
    },
  );
  url = `http://127.0.0.1:${port}/events`;
  await waitFor(async () => (await fetch(url).catch(() => undefined))?.status);
}

const call = async (token?: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, {
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  });
  return {
    status: response.status,
    text: await response.text(),
    why: response.headers.get('www-authenticate'),
  };
};
const grant = (fields: Record<string, unknown> = {}, of: Party = party) =>
  of.grant({ audience: AUDIENCE, ...fields });
const introspections = async () => {
  const scrape = await service.scrape();
  const count = (result: string) =>
    scrape.value('grantex_token_verifications_total', { result }) ?? Number.NaN;
  return count('valid') + count('invalid');
};

test('a live token passes; the API learns who acts for whom, and not the token', async () => {
  const { grantToken, grantId } = await grant({ principalId: 'anna\r\nX-Evil: 1 é' });
  const { status, text } = await call(grantToken, { 'x-grant-principal': 'root', 'x-grant-id': 'grnt_1' });
  expect([status, text]).toEqual([200, 'the events of today']);
  const headers = reached.at(-1) ?? {};
  expect(headers).toMatchObject({
    'x-grant-principal': encodeURIComponent('anna\r\nX-Evil: 1 é'),
    'x-grant-agent': party.agentId,
    'x-grant-id': grantId,
  });
  expect(Object.keys(headers)).not.toContain('authorization');
  expect(Object.keys(headers)).not.toContain('x-evil');
});

test('what must not pass does not reach the API, and is told why', async () => {
  const before = reached.length;
  const { grantToken, refreshToken } = await grant();
  const revoked = await grant();
  await service.request('DELETE', `/v1/grants/${revoked.grantId}`, { key: party.key });
  const agentId = await party.newAgent();
  const suspended = await grant({ agentId });
  const patch = { key: party.key, body: { status: 'suspended' } };
  await service.request('PATCH', `/v1/agents/${agentId}`, patch);
  const invalid: Record<string, string> = {
    garbage: 'garbage',
    'a form of its own': 'x&token=y',
    forged: `${grantToken.slice(0, -8)}AAAAAAAA`,
    'a refresh token': refreshToken,
    'an API key': party.key,
    revoked: revoked.grantToken,
    'of a suspended agent': suspended.grantToken,
    "another developer's": (await grant({}, stranger)).grantToken,
    'for another audience': (await grant({ audience: 'https://mail.example.com' })).grantToken,
    'for nobody in particular': (await party.grant()).grantToken,
  };
  for (const [name, token] of Object.entries(invalid))
    expect([name, await call(token)]).toEqual([
      name,
      { status: 401, text: expect.any(String), why: 'Bearer error="invalid_token"' },
    ]);
  expect(await call()).toMatchObject({ status: 401, why: 'Bearer' });
  expect(await call((await grant({ scopes: ['mail:read'] })).grantToken)).toMatchObject({
    status: 403,
    why: 'Bearer error="insufficient_scope"',
  });
  expect(reached.length).toBe(before);
});

test('twenty requests at once are one question, whose answer is forgotten within seconds of a revocation', async () => {
  const { grantToken, grantId } = await grant();
  const before = await introspections();
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(grantToken)));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  expect(await introspections()).toBe(before + 1);
  await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  await waitFor(async () => (await call(grantToken)).status === 401 || undefined);
});

test('neither the cache nor a log of the gateway has a token or the API key', async () => {
  const { grantToken } = await grant();
  await call(grantToken);
  const files = await readdir(join(directory.path, 'cache'), { recursive: true, withFileTypes: true });
  const kept = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  expect(kept.length).toBeGreaterThan(0);
  for (const file of [...kept, join(directory.path, 'access.log'), join(directory.path, 'error.log')]) {
    const text = await readFile(file, 'latin1');
    for (const secret of [grantToken, party.key]) expect(text, file).not.toContain(secret);
  }
});

test('nobody passes while the service does not answer', async () => {
  const { grantToken } = await grant();
  const before = reached.length;
  const gone = once(service.process, 'exit');
  service.process.kill('SIGKILL');
  await gone;
  expect([(await call(grantToken)).status, reached.length]).toEqual([503, before]);
});

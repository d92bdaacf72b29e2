import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../src/config.ts';
import { VARIABLES } from '../src/variables/table.ts';
import { CASES } from './config-cases.ts';
import { npmRun } from './support/command.ts';
import { runToEnd, SECRET_KEY, temporaryDirectory } from './support/service.ts';

const NAMES = Object.keys(CASES);
/** Each variable with its first bad value. */
const ALL_BAD = Object.fromEntries(Object.entries(CASES).map(([name, { bad }]) => [name, bad[0] ?? '']));

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toBe(`bad configuration: ${error.faults.join('; ')}`);
    return error.faults;
  }
}
const named = (faults: readonly string[]) => faults.map((fault) => fault.split(/:? /)[0]);
const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

test('the cases are all variables and all members of the configuration', () => {
  expect([...NAMES].sort()).toEqual(
    Object.values(VARIABLES)
      .map(({ name }) => name)
      .sort(),
  );
  expect(Object.keys(loadConfig({})).sort()).toEqual(
    Object.values(CASES)
      .map(({ key }) => key)
      .sort(),
  );
});

describe.each(Object.entries(CASES))('%s', (name, { key, otherwise, good, bad }) => {
  test('has its default when unset and when empty', () => {
    expect(loadConfig({})[key]).toEqual(otherwise);
    expect(loadConfig({ [name]: '', SECRET_KEY: name === 'SECRET_KEY' ? '' : SECRET_KEY })[key]).toEqual(
      otherwise,
    );
  });
  test.for(good)('takes %s', ([written, value]) => {
    expect(loadConfig({ SECRET_KEY, [name]: written })[key]).toEqual(value);
  });
  test.for(bad)('refuses %j', (written) => {
    const faults = faultsOf({ SECRET_KEY, [name]: written });
    expect(faults).toEqual([expect.stringMatching(new RegExp(`^${name}:? must be \\S`))]);
    expect(faults.join()).not.toContain('hunter2');
  });
});

test('all faults are told together, and no value with them', () => {
  const faults = faultsOf(ALL_BAD);
  expect(named(faults).sort()).toEqual([...NAMES].sort());
  expect(faults.join()).not.toContain('hunter2');
});

test.each([
  ['DATABASE_URL without SECRET_KEY', { DATABASE_URL: 'postgres://db/x' }, ['SECRET_KEY']],
  [
    'one key for both seeds',
    { SEED_API_KEY: 'k'.repeat(16), SEED_SANDBOX_KEY: 'k'.repeat(16) },
    ['SEED_SANDBOX_KEY'],
  ],
  ['one port for both listeners', { PORT: '3002', METRICS_PORT: '3002' }, ['METRICS_PORT']],
  ['two free ports', { PORT: '0', METRICS_PORT: '0' }, []],
])('%s', (_what, env, expected) => {
  expect(named(faultsOf(env))).toEqual(expected);
});

test('every parameter of DATABASE_URL that cannot be honoured is named, and no value', () => {
  const DATABASE_URL = 'postgres://me:hunter2@db/x?channel_binding=require&sslrootcert=/hunter2&work_mem=4MB';
  const faults = faultsOf({ SECRET_KEY, DATABASE_URL });
  expect(faults).toEqual(
    ['channel_binding must be', 'work_mem is no', 'sslrootcert must be'].map((fault) =>
      expect.stringMatching(`^DATABASE_URL: ${fault} `),
    ),
  );
  expect(faults.join()).not.toContain('hunter2');
});

test('the configuration cannot be changed', () => {
  const config: { port: number } = loadConfig({}) as never;
  expect(() => {
    config.port = 1;
  }).toThrow(TypeError);
});

describe('SIGNING_KEYS_FILE', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeAll(async () => {
    directory = await temporaryDirectory();
  });
  afterAll(() => directory.remove());
  const fileOf = (content: string) => {
    const path = join(directory.path, 'keys.json');
    writeFileSync(path, content);
    return { SIGNING_KEYS_FILE: path };
  };
  const rsa = (kid: string, modulusLength = 2048) => ({
    kid,
    ...generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ format: 'jwk' }),
  });
  const ec = (kid: string, namedCurve = 'P-256') => ({
    kid,
    ...generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' }),
  });
  const [one, two, three] = [rsa('one'), rsa('two'), ec('three')];

  test('takes a JWKS of private keys, in its order', () => {
    const { signingKeys } = loadConfig(fileOf(JSON.stringify({ keys: [two, three, one] })));
    expect(signingKeys).toEqual([two, three, one]);
  });
  test.each<[string, () => unknown]>([
    ['no JSON', () => 'hunter2'],
    ['no set', () => one],
    ['null', () => null],
    ['an empty set', () => ({ keys: [] })],
    ['a null for a key', () => ({ keys: [null] })],
    ['a public key', () => ({ keys: [{ kty: one.kty, kid: 'one', n: one.n, e: one.e }] })],
    ['a key without an exponent', () => ({ keys: [{ ...one, e: undefined }] })],
    ['a key without its primes', () => ({ keys: [{ ...one, p: undefined, q: undefined }] })],
    ['a key without kid', () => ({ keys: [{ ...one, kid: undefined }] })],
    ['one kid twice', () => ({ keys: [one, { ...two, kid: 'one' }] })],
    ['a key of 1024 bits', () => ({ keys: [rsa('small', 1024)] })],
    ['a key on another curve', () => ({ keys: [ec('wide', 'P-384')] })],
    ['a public key on P-256', () => ({ keys: [{ ...three, d: undefined }] })],
  ])('refuses %s', (_what, content) => {
    const value = content();
    const faults = faultsOf(fileOf(typeof value === 'string' ? value : JSON.stringify(value)));
    expect(faults).toEqual([
      expect.stringMatching(/^SIGNING_KEYS_FILE must be the path of a readable private JWKS/),
    ]);
  });
});

test('.env.example lists what is read and no more, each with its default', () => {
  const lines = Array.from(read('.env.example').matchAll(/^#?([A-Z_]+)=(.*)$/gm), ([, name, value]) => [
    name,
    value,
  ]);
  const own = lines.filter(([name = '']) => !name.startsWith('OTEL_') || NAMES.includes(name));
  expect(own.map(([name]) => name).sort()).toEqual([...NAMES].sort());
  expect(loadConfig(Object.fromEntries(own))).toEqual(loadConfig({}));
});

test('the npm scripts read .env, a variable of the real environment wins, and git does not see the file', async () => {
  const { path, remove } = await temporaryDirectory();
  for (const name of ['package.json', 'node_modules', 'src'])
    symlinkSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), join(path, name));
  const nowhere = join(path, 'nowhere');
  writeFileSync(join(path, '.env'), `DATA_DIR=${nowhere} # none\nMETRICS_PORT=many\nPORT=many\n`);
  const { code, stdout, stderr } = await npmRun('keys', ['list'], { PORT: '3001' }, path);
  expect([code, stdout]).toEqual([78, '']);
  expect(stderr).toMatch(/^METRICS_PORT must be a whole number[^\n]*\n$/);
  const mended = await npmRun('keys', ['list'], { PORT: '3001', METRICS_PORT: '' }, path);
  expect(mended.stderr).toContain(nowhere);
  await remove();
  const { start, dev, keys, migrate } = JSON.parse(read('package.json')).scripts;
  for (const script of [start, dev, keys, migrate])
    expect(script).toContain('$(test -f .env && echo --env-file=.env)');
  expect(read('.gitignore').split('\n')).toContain('.env');
});

test('the service with every variable at fault: one fatal line that names them all, exit 78', async () => {
  const { code, logs } = await runToEnd({ ...ALL_BAD, OTEL_TRACES_SAMPLER: 'hunter2' });
  expect([code, logs.length, logs[0]?.level, logs[0]?.msg]).toEqual([78, 1, 'fatal', 'config.invalid']);
  expect(named(logs[0]?.['faults'] as string[]).sort()).toEqual([...NAMES, 'OTEL_TRACES_SAMPLER'].sort());
  expect(JSON.stringify(logs)).not.toContain('hunter2');
});

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../src/config.ts';
import { prepareDataDir } from '../src/data-dir.ts';
import { npmOutput, npmRun } from './support/command.ts';
import { runToEnd, SECRET_KEY, temporaryDirectory } from './support/service.ts';

let temporary: Awaited<ReturnType<typeof temporaryDirectory>>;
let root: string;
let made = 0;
beforeAll(async () => {
  temporary = await temporaryDirectory();
});
afterAll(() => temporary.remove());
beforeEach(() => {
  made += 1;
  root = join(temporary.path, String(made));
  mkdirSync(root);
});

const faultsOf = (dataDir: string): readonly string[] => {
  try {
    prepareDataDir(dataDir);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
};

test('is made with what lies above it, closed to others, and holds nothing', () => {
  const path = join(root, 'a', 'b', 'data');
  prepareDataDir(path);
  prepareDataDir(path);
  expect(statSync(path).mode & 0o7777).toBe(0o700);
  expect(readdirSync(path)).toEqual([]);
});

test.each([
  ['a file', () => join(root, 'file'), 'EEXIST'],
  ['below a file', () => join(root, 'file', 'data'), 'ENOTDIR'],
  ['where nothing can be made', () => '/proc/nope', 'ENOENT'],
  ['below where nothing can be made', () => '/proc/nope/data', 'ENOENT'],
  ['what cannot be written', () => '/proc/self', /\(E\w+\)/.source],
])('%s: refused with DATA_DIR and the path', (_what, pathOf, code) => {
  writeFileSync(join(root, 'file'), '');
  const path = pathOf();
  expect(faultsOf(path)).toEqual([
    expect.stringMatching(new RegExp(`^DATA_DIR: the data directory ${path} cannot be used .*${code}`)),
  ]);
});

test('a shared directory keeps its mode, also when it is asked for the secret key first', async () => {
  writeFileSync(join(root, 'of somebody else'), '');
  chmodSync(root, 0o1777);
  const { code, logs } = await runToEnd({ DATA_DIR: root, PORT: '0' });
  expect([code, logs.at(-1)?.['faults']]).toEqual([
    78,
    [`DATA_DIR: ${root} is a shared directory: give it one of its own below it`],
  ]);
  expect(statSync(root).mode & 0o7777).toBe(0o1777);
});

test.each([{}, { SECRET_KEY }])(
  'the service with an unusable one: a fatal line, exit 78, %o',
  async (env) => {
    const { code, logs } = await runToEnd({ DATA_DIR: '/proc/nope', PORT: '0', ...env });
    expect([code, logs.at(-1)]).toEqual([
      78,
      expect.objectContaining({
        level: 'fatal',
        faults: [expect.stringMatching(/^DATA_DIR: .*\/proc\/nope cannot be used \(ENOENT\)/)],
      }),
    ]);
  },
);

describe('the secret key', () => {
  const lost = (dataDir: string) =>
    `DATA_DIR: ${join(dataDir, 'secret-key')} is missing: restore it, or set SECRET_KEY to what it held; nothing else opens the signing keys in the database`;

  test('is made before the database, also by npm run migrate, and not again when it is lost', async () => {
    const dataDir = join(root, 'data');
    const file = join(dataDir, 'secret-key');
    const env = { DATA_DIR: dataDir, PORT: '0' };
    await npmOutput('migrate', [], env);
    const held = readFileSync(file, 'utf8').trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);

    rmSync(file);
    const before = readdirSync(dataDir).sort();
    const { code, logs } = await runToEnd(env);
    expect([code, logs.at(-1)?.['faults']]).toEqual([78, [lost(dataDir)]]);
    expect(await npmRun('keys', ['rotate'], env)).toEqual({
      code: 78,
      stdout: '',
      stderr: `${lost(dataDir)}\n`,
    });
    expect(readdirSync(dataDir).sort()).toEqual(before);
    expect(await npmOutput('keys', ['list'], env)).toBe(
      'no keys yet: the first start of the service creates one\n',
    );
    await npmOutput('keys', ['rotate'], { ...env, SECRET_KEY: held });
    expect(existsSync(file)).toBe(false);
  });
});

test.each(['list', 'rotate'])('npm run keys -- %s makes no database', async (command) => {
  const dataDir = join(root, 'mistyped');
  expect(await npmRun('keys', [command], { DATA_DIR: dataDir })).toEqual({
    code: 78,
    stdout: '',
    stderr: `DATA_DIR: there is no database in ${dataDir} yet: the first start of the service makes one\n`,
  });
  expect(existsSync(dataDir)).toBe(false);
});

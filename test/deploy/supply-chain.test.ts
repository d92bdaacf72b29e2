import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { faultsOfLicences, faultsOfLock } from '../../deploy/programs/supply-chain/judge.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const PINNED = { resolved: 'https://registry.npmjs.org/a/-/a-1.0.0.tgz', integrity: 'sha512-x' };

test('the bytes of every package of the lockfile are pinned, and come from the registry', () => {
  expect(faultsOfLock(JSON.parse(read('package-lock.json')).packages)).toEqual([]);
});

test('what is not pinned, or comes from elsewhere, is named', () => {
  expect(
    faultsOfLock({
      '': {},
      'node_modules/pinned': PINNED,
      'node_modules/loose': { resolved: PINNED.resolved },
      'node_modules/weak': { ...PINNED, integrity: 'sha1-x' },
      'node_modules/elsewhere': { ...PINNED, resolved: 'git+ssh://git@example.com/a.git' },
    }),
  ).toEqual([
    'node_modules/loose has no integrity: npm install --package-lock-only',
    'node_modules/weak has no integrity: npm install --package-lock-only',
    'node_modules/elsewhere comes from git+ssh://git@example.com/a.git',
  ]);
});

const component = (id: string, isTool = false) => ({
  name: id.toLowerCase(),
  version: '1.0.0',
  licenses: [id.includes(' ') ? { expression: id } : { license: { id } }],
  properties: isTool ? [{ name: 'cdx:npm:package:development', value: 'true' }] : [],
});

test('licences: permissive ones, MPL-2.0 for tools alone, and what expressions allow', () => {
  const allowed = [
    ...['MIT', 'MIT OR GPL-3.0-only', '(MIT OR CC0-1.0)', '(MIT AND Zlib)'].map((id) => component(id)),
    component('MPL-2.0', true),
  ];
  expect(faultsOfLicences(allowed)).toEqual([]);
  const refused = [
    component('MPL-2.0'),
    component('AGPL-3.0-only', true),
    component('(MIT AND GPL-3.0-only)'),
  ];
  expect(faultsOfLicences([...refused, { name: 'none', version: '1.0.0' }])).toEqual([
    'mpl-2.0@1.0.0 has the licence MPL-2.0',
    'agpl-3.0-only@1.0.0 has the licence AGPL-3.0-only',
    '(mit and gpl-3.0-only)@1.0.0 has the licence (MIT AND GPL-3.0-only)',
    'none@1.0.0 has the licence none',
  ]);
});

test('npm runs no script of a package that it installs', () => {
  expect(read('.npmrc').split('\n')).toContain('ignore-scripts=true');
});

test('base images have an exact version', () => {
  const images = Array.from(read('Dockerfile').matchAll(/^FROM (\S+)/gm), ([, image = '']) => image);
  expect(images.length).toBeGreaterThan(0);
  for (const image of images) expect(image).toMatch(/:\d+\.\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?$/);
});

test('the command of docs/security.md pins the bytes of every image that is not ours, once', async () => {
  const [, command = ''] = /```bash pin\n(.*?)```/s.exec(read('docs/security.md')) ?? [];
  const { path, remove } = await temporaryDirectory();
  onTestFinished(remove);
  // The registry cannot be reached from here: the digest is that of the name.
  const docker = `#!/bin/sh\nprintf 'sha256:%s\\n' "$(printf %s "$4" | sha256sum | cut -c1-64)"\necho "$4" >>asked\n`;
  await writeFile(join(path, 'docker'), docker);
  await chmod(join(path, 'docker'), 0o755);
  const files = ['Dockerfile', 'docker-compose.yml'];
  for (const file of files) await writeFile(join(path, file), read(file));
  const pin = async () => {
    const env = { PATH: `${path}:${process.env['PATH']}` };
    await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', command], { cwd: path, env });
    return Promise.all(files.map((file) => readFile(join(path, file), 'utf8')));
  };
  const pinned = await pin();
  const imagesIn = (texts: readonly string[]) =>
    texts.flatMap((text) => Array.from(text.matchAll(/^ *(?:FROM|image:) (\S+)/gm), ([, one = '']) => one));
  const before = imagesIn(files.map(read));
  const foreign = before.filter((image) => !image.startsWith('grantex-auth'));
  expect(foreign.length).toBeGreaterThan(8);
  const withDigest = (image: string) =>
    foreign.includes(image) ? `${image}@sha256:${createHash('sha256').update(image).digest('hex')}` : image;
  expect(imagesIn(pinned)).toEqual(before.map(withDigest));
  // Nothing else has changed, and what is pinned is not asked for again.
  expect(pinned.map((text) => text.replaceAll(/@sha256:[0-9a-f]{64}/g, ''))).toEqual(files.map(read));
  expect(await pin()).toEqual(pinned);
  const asked = (await readFile(join(path, 'asked'), 'utf8')).trim().split('\n');
  expect(asked).toEqual([...new Set(foreign)].sort());
});

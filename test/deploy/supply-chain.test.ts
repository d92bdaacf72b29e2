import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faultsOfLicences, faultsOfLock } from '../../deploy/programs/supply-chain/judge.ts';

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

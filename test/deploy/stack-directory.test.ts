import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockDirectory } from '../../deploy/programs/stack/lock-directory.ts';
import { npmRun } from '../support/command.ts';
import { temporaryDirectory } from '../support/service.ts';

test('a second stack in the directory of one that runs is refused, and the logs of the first stay', async () => {
  const directory = await temporaryDirectory();
  await lockDirectory(directory.path);
  const log = join(directory.path, 'log', 'prometheus.log');
  await mkdir(join(directory.path, 'log'));
  await writeFile(log, 'of the first');
  expect(await npmRun('stack', ['--free-ports', '--directory', directory.path], {})).toEqual({
    code: 1,
    stdout: '',
    stderr: `another stack (pid ${process.pid}) has its data and logs in ${directory.path}: end it, or add -- --free-ports --directory <another>\n`,
  });
  expect(await readFile(log, 'utf8')).toBe('of the first');
  await directory.remove();
});

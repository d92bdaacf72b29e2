import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { freePorts } from '../../deploy/programs/stack/addresses.ts';
import { temporaryDirectory, waitFor } from '../support/service.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/starts-a-program.ts', import.meta.url));

test('a program of the stack ends with whoever started it, although that one was killed', async () => {
  const directory = await temporaryDirectory();
  const port = String((await freePorts()).alertSink);
  const starter = fork(FIXTURE, [port, join(directory.path, 'log')], { execArgv: [] });
  await once(starter, 'message');
  const status = () =>
    fetch(`http://127.0.0.1:${port}`).then(
      (answer) => answer.status,
      () => 'nobody listens',
    );
  expect(await status()).toBe(200);
  starter.kill('SIGKILL');
  expect(await waitFor(async () => ((await status()) === 'nobody listens' ? true : undefined))).toBe(true);
  await directory.remove();
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { waitFor } from '../support/child.ts';
import { processesIn } from './processes.ts';
import { Workspace } from './workspace.ts';

test('a workspace ends what was started in it, frozen or not', async () => {
  const workspace = await Workspace.create();
  const directories = await Promise.all(['one', 'two'].map((name) => workspace.directory(name)));
  for (const directory of directories) await workspace.spawn(directory, 'sleep', ['600']);
  const started = processesIn(workspace.path);
  expect(started).toHaveLength(2);
  process.kill(started[0] ?? 0, 'SIGSTOP');
  await workspace.end();
  expect(processesIn(workspace.path)).toEqual([]);
  expect(existsSync(workspace.path)).toBe(false);
});

test('whoever made it is killed: nothing is left either', async () => {
  const script = fileURLToPath(new URL('./fixtures/dies.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const path = await text(child.stdout);
  expect(await exited).toEqual([null, 'SIGKILL']);
  expect(path).toContain('grantex-failover-');
  await waitFor(() => !existsSync(path) || undefined);
  expect(processesIn(path)).toEqual([]);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `npm run <script> -- <args>` in `cwd` to its end. The environment is empty except for these variables. */
export async function npmRun(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd: string = ROOT,
): Promise<CommandResult> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', npm_config_update_notifier: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, stdout, stderr };
}

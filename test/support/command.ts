import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { COMPILE_CACHE } from './child.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `npm run <script> -- <args>` in `cwd` to its end. The environment is empty except for these variables and the compile cache. */
export async function npmRun(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd: string = ROOT,
): Promise<CommandResult> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd,
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      npm_config_update_notifier: 'false',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, stdout, stderr };
}

/**
 * What a command writes that must succeed without a word on standard error.
 * @throws with all that it wrote otherwise
 */
export async function npmOutput(...run: Parameters<typeof npmRun>): Promise<string> {
  const { code, stdout, stderr } = await npmRun(...run);
  if (code === 0 && stderr === '') return stdout;
  throw new Error(`npm run ${run[0]} -- ${run[1].join(' ')}: exit code ${code}\n${stderr}${stdout}`);
}

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'grantex-auth-tests');

export interface ProgramResult {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end. `output` contains standard output and standard error. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<ProgramResult> {
  const child = spawn(program, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, output: stdout + stderr };
}

async function mustRun(program: string, ...args: string[]): Promise<void> {
  const { code, output } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${output}`);
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * The Python of a virtual environment with the pinned packages of `requirements`. It is made once for each Python and
 * set of pins, and kept outside the checkout. The installation uses another name and renames it at the end, so the
 * final name never has an incomplete one.
 */
export async function installPython(name: string, requirements: URL): Promise<string> {
  const version = (await runProgram('python3', ['--version'])).output;
  const pins = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16);
  const venv = join(CACHE, `${name}-${pins}`);
  const python = join(venv, 'bin', 'python');
  if (await exists(python)) return python;
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(`${venv}.`);
  try {
    await mustRun('python3', '-m', 'venv', draft);
    const pip = [join(draft, 'bin', 'python'), '-m', 'pip', '--disable-pip-version-check'] as const;
    const file = fileURLToPath(requirements);
    await mustRun(...pip, 'install', '--quiet', '--only-binary', ':all:', '-r', file);
    await rename(draft, venv);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(python))) throw error;
  }
  return python;
}

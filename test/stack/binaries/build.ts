import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('./', import.meta.url));
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'grantex-auth-tests');

interface Tool {
  /** The name of its directory here. Each tool is a separate Go module, because a common one has version conflicts. */
  readonly name: string;
  readonly programs: readonly string[];
  readonly flags?: readonly string[];
  /** The package to build; by default the tools that go.mod names. */
  readonly what?: string;
}

/**
 * In build order. Tools that other work needs come first, and the collector comes before Jaeger, which shares its
 * packages.
 */
const TOOLS: readonly Tool[] = [
  { name: 'compose', programs: ['compose'], what: '.' },
  { name: 'sloth', programs: ['sloth'] },
  // Only static and file discovery stay. Without the clients of forty clouds the build takes half the time.
  { name: 'prometheus', programs: ['prometheus', 'promtool'], flags: ['-tags', 'remove_all_sd'] },
  { name: 'helm', programs: ['helm'] },
  { name: 'alertmanager', programs: ['alertmanager', 'amtool'] },
  { name: 'blackbox_exporter', programs: ['blackbox_exporter'] },
  { name: 'otelcol', programs: ['otelcol'] },
  { name: 'jaeger', programs: ['jaeger'] },
];

/** Progress for people. */
const say = (line: string) => process.stderr.write(`${line}\n`);

/**
 * The path of a program of the stack, such as `prometheus` or `promtool`. A missing program is built first, which takes
 * minutes and needs Go. The result stays outside the checkout until one of its pinned versions changes.
 * @throws {Error} when there is no such program, no Go, or the build fails
 */
export async function binary(program: string): Promise<string> {
  const tool = TOOLS.find(({ programs }) => programs.includes(program));
  if (tool === undefined) throw new Error(`no tool here builds ${program}`);
  return join(await build(tool), program);
}

/**
 * The directory with the tool's programs. The build fills it under another name and renames it, so it is always
 * complete.
 */
async function build(tool: Tool): Promise<string> {
  const home = join(CACHE, `${tool.name}-${await fingerprint(tool)}`);
  if (await exists(home)) return home;
  const began = performance.now();
  say(`building ${tool.programs.join(' and ')}`);
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(`${home}.`);
  try {
    await go(
      join(SOURCES, tool.name),
      'build',
      ...(tool.flags ?? []),
      '-o',
      `${draft}/`,
      tool.what ?? 'tool',
    );
    if (tool.name === 'otelcol') await buildCollector(draft);
    await rename(draft, home);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process may have built it meanwhile.
    if (!(await exists(home))) throw error;
  }
  say(`built ${tool.programs.join(' and ')} in ${Math.round((performance.now() - began) / 1000)} s`);
  return home;
}

/**
 * Builds the collector. Its builder generates the source; our pinned versions replace the newest ones that it would
 * choose.
 */
async function buildCollector(draft: string): Promise<void> {
  const from = join(SOURCES, 'otelcol');
  const source = join(draft, 'distribution');
  const builder = join(draft, 'builder');
  await run(
    builder,
    ['--config', join(from, 'manifest.yaml'), '--skip-compilation', '--skip-get-modules'],
    draft,
  );
  for (const file of ['go.mod', 'go.sum'])
    await copyFile(join(from, 'distribution', file), join(source, file));
  await go(source, 'build', '-o', join(draft, 'otelcol'), '.');
  await rm(source, { recursive: true });
  await rm(builder);
}

/** A digest of everything that the build depends on, except the version of Go. */
async function fingerprint(tool: Tool): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([tool, process.platform, process.arch]));
  const home = join(SOURCES, tool.name);
  const files = await readdir(home, { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  for (const path of paths.sort()) hash.update(path.slice(home.length)).update(await readFile(path));
  return hash.digest('hex').slice(0, 16);
}

async function go(directory: string, command: string, ...args: string[]): Promise<void> {
  await run('go', [command, '-buildvcs=false', '-trimpath', '-ldflags=-s -w', ...args], directory).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new Error(
        'Go 1.26 is needed to build the programs of the stack, and there is no `go` on the PATH',
      );
    },
  );
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-mod=readonly' };
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const interrupt = () => child.kill('SIGINT');
  process.once('exit', interrupt);
  const [code] = await once(child, 'close').finally(() => process.off('exit', interrupt));
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code} in ${cwd}:\n${output}`);
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * `node test/stack/binaries/build.ts [program…]` builds the missing ones of these programs, or of all, and prints the
 * paths.
 */
if (import.meta.main) {
  const asked = process.argv.slice(2);
  const programs = asked.length > 0 ? asked : TOOLS.flatMap((tool) => tool.programs);
  for (const program of programs) process.stdout.write(`${await binary(program)}\n`);
}

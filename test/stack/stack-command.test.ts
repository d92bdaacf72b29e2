import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { temporaryDirectory, waitFor } from '../support/service.ts';
import { binary } from './binaries/build.ts';
import { Prometheus } from './pipeline/prometheus.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAMS = ['otelcol', 'jaeger', 'prometheus', 'alertmanager', 'blackbox_exporter'];

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let command: ChildProcess | undefined;
let output: string;

beforeAll(async () => {
  for (const program of PROGRAMS) await binary(program);
});
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  if (command?.exitCode === null && command.signalCode === null) {
    pressCtrlC(command);
    await once(command, 'exit');
  }
  await directory.remove();
});

/** Starts the stack through npm in a separate process group, as a shell does. */
function startStack(env: Record<string, string> = {}): ChildProcess {
  output = '';
  command = spawn('npm', ['run', 'stack', '--', '--free-ports', '--directory', directory.path], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [command.stdout, command.stderr]) stream?.on('data', (chunk) => (output += chunk));
  return command;
}

/** Sends SIGINT to the whole process group, as a terminal does. */
const pressCtrlC = ({ pid = 0 }: ChildProcess) => void process.kill(-pid, 'SIGINT');

/** The ids of the present child processes of a parent. */
function childrenOf(parent: number): number[] {
  const parents = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const text = readFileSync(`/proc/${entry}/stat`, 'utf8');
        return [[Number(entry), Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])] as const];
      } catch {
        return [];
      }
    });
  const below = (pid: number): number[] =>
    parents.filter(([, of]) => of === pid).flatMap(([child]) => [child, ...below(child)]);
  return below(parent);
}

/** The remaining processes of this stack. Each has the stack's directory in its command line or environment. */
function leftovers(): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((entry) => {
      try {
        const about = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${entry}/${file}`, 'utf8'));
        return about.some((text) => text.includes(directory.path))
          ? [about[0]?.replaceAll('\0', ' ') ?? '']
          : [];
      } catch {
        return [];
      }
    });
}

const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const addressOf = (what: string) => new RegExp(`${what}.* (http://\\S+)`).exec(output)?.[1] ?? '';

test('everything starts and says where, every target is up, and one Ctrl-C ends every process', async () => {
  const stack = startStack();
  await waitFor(() => output.includes('Ctrl-C ends it all') || stack.exitCode !== null || undefined, 60_000);
  expect(output).toContain('Ctrl-C ends it all');
  const pids = childrenOf(stack.pid ?? 0);
  // The service has the processes of its PostgreSQL, and every other program is one process.
  expect(pids.length).toBeGreaterThan(PROGRAMS.length + 2);

  expect((await fetch(`${addressOf('service')}/health`)).status).toBe(200);
  const answers = await Promise.all(
    ['Jaeger', 'Alertmanager', 'alerts that were sent'].map(
      async (what) => (await fetch(addressOf(what))).status,
    ),
  );
  expect(answers).toEqual([200, 200, 200]);
  const prometheus = new Prometheus(addressOf('Prometheus'));
  const health = async () =>
    Object.fromEntries((await prometheus.targets()).map(({ labels, health }) => [labels['job'], health]));
  await expect.poll(health, { timeout: 60_000, interval: 500 }).toEqual({
    'grantex-auth': 'up',
    'grantex-auth-health': 'up',
    'otel-collector': 'up',
    prometheus: 'up',
    alertmanager: 'up',
  });

  pressCtrlC(stack);
  const [code] = await once(stack, 'exit');
  expect(code).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(leftovers()).toEqual([]);
});

test('Ctrl-C while it starts ends what has been started', async () => {
  const stack = startStack();
  const pids = await waitFor(() => {
    const found = childrenOf(stack.pid ?? 0);
    return found.length >= 5 ? found : undefined;
  }, 30_000);
  pressCtrlC(stack);
  await once(stack, 'exit');
  expect(pids.filter(isAlive)).toEqual([]);
  expect(leftovers()).toEqual([]);
});

test('when npm is killed, nothing stays behind', async () => {
  const stack = startStack();
  const pids = await waitFor(() => {
    const found = childrenOf(stack.pid ?? 0);
    return found.length >= 5 ? found : undefined;
  }, 30_000);
  stack.kill('SIGKILL');
  await waitFor(() => !pids.some(isAlive) || undefined, 30_000);
  expect(leftovers()).toEqual([]);
});

test('when one program cannot start, that is said, and none stays behind', async () => {
  const stack = startStack({ OTELCOL_MEMORY_LIMIT_MIB: 'much' });
  const pids = new Set<number>();
  const watch = setInterval(() => {
    for (const pid of childrenOf(stack.pid ?? 0)) pids.add(pid);
  }, 20);
  const [code] = await once(stack, 'exit');
  clearInterval(watch);
  expect(code).toBe(1);
  expect(output).toMatch(/otel-collector ended with code 1:[\s\S]*limit_mib/);
  expect(pids.size).toBeGreaterThan(0);
  expect([...pids].filter(isAlive)).toEqual([]);
  expect(leftovers()).toEqual([]);
});

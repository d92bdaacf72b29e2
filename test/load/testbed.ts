import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { migrate } from '../../src/db/migrate.ts';
import { startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { collect, spawnService, waitFor } from '../support/child.ts';
import { processesOn } from '../support/embedded.ts';
import { memoryOf } from './cpu.ts';

export interface Server {
  readonly url: string;
  readonly pid: number;
}

/** The amount of telemetry that a service sends. */
export type Variant = (typeof VARIANTS)[number];
export const VARIANTS = ['full', 'tenth', 'off'] as const;

export interface StartedServer extends Server {
  readonly startMs: number;
  /** The resident memory when the service has just become ready. */
  readonly startMiB: number;
}

/** All processes of one benchmark. `end` ends every one of them. */
export interface Testbed {
  readonly bare: Server;
  /** The main process of PostgreSQL, the parent of all others. */
  readonly postmaster: number;
  /**
   * Starts a service on the shared database, or as `env` says otherwise. With `profileDir` the service writes a CPU
   * profile there when it ends.
   */
  start(variant: Variant, profileDir?: string, env?: Record<string, string>): Promise<StartedServer>;
  readonly sql: postgres.Sql;
  /** Of the shared database. The role may make others beside it. */
  readonly databaseUrl: string;
  end(): Promise<void>;
}

/** @param directory keeps the databases there for later runs; without it they are gone afterwards */
export async function openTestbed(directory?: string): Promise<Testbed> {
  const undo = new AsyncDisposableStack();
  const dataDir = directory ?? (await mkdtemp(join(tmpdir(), 'grantex-bench-')));
  if (directory === undefined) undo.defer(() => rm(dataDir, { recursive: true, force: true }));
  const database = await startEmbeddedDatabase({ dataDir });
  undo.defer(() => database.stop());
  await migrate(database.url);
  const sql = postgres(database.url, { max: 2, onnotice: () => undefined });
  undo.defer(() => sql.end({ timeout: 1 }));
  const [bare, sink] = await Promise.all([startServer('bare', undo), startServer('sink', undo)]);
  const pids = processesOn(dataDir).filter(({ name }) => name === 'postgres');

  return {
    bare,
    postmaster: Math.min(...pids.map(({ pid }) => pid)),
    sql,
    databaseUrl: database.url,
    async start(variant, profileDir, env) {
      const begun = performance.now();
      const child = spawnService({
        ...baseEnv(database.url),
        ...telemetryEnv(variant, sink.url),
        ...env,
        ...(profileDir && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` }),
      });
      undo.defer(() => end(child));
      const { logs, stdout } = collect(child);
      const started = await waitFor(() => logs.find(({ msg }) => msg === 'service.started'), 20_000).catch(
        () => {
          throw new Error(`the service did not start: ${stdout.join('\n')}`);
        },
      );
      const startMs = performance.now() - begun;
      const pid = child.pid ?? 0;
      return { url: String(started['url']), pid, startMs, startMiB: memoryOf(pid) };
    },
    end: () => undo.disposeAsync(),
  };
}

const baseEnv = (databaseUrl: string) => ({
  DATABASE_URL: databaseUrl,
  SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  PORT: '0',
  // All services of the run have the same issuer, so each accepts the tokens of the others.
  JWT_ISSUER: 'https://auth.example.com',
  RATE_LIMIT_ENABLED: 'false',
  MAX_AGENTS: '1000000',
});

function telemetryEnv(variant: Variant, sinkUrl: string): Record<string, string> {
  if (variant === 'off') return { OTEL_SDK_DISABLED: 'true', METRICS_ENABLED: 'false' };
  const tenth = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };
  return { OTEL_EXPORTER_OTLP_ENDPOINT: sinkUrl, ...(variant === 'tenth' && tenth) };
}

async function startServer(kind: 'bare' | 'sink', undo: AsyncDisposableStack): Promise<Server> {
  const script = fileURLToPath(new URL('servers.ts', import.meta.url));
  const child = spawn(process.execPath, [script, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  undo.defer(() => end(child));
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return { url, pid: child.pid ?? 0 };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

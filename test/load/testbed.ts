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
import { collect, NODE_FLAGS, spawnService, waitFor } from '../support/child.ts';
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
  /** Where the inspector listens; undefined: it was not asked for. */
  readonly inspector: string | undefined;
}

/** A server of the benchmark's own that is ended before the benchmark is. */
export interface OwnServer extends Server {
  end(): Promise<void>;
}

export interface StartOptions {
  /** Variables besides those of the testbed. */
  readonly env?: Record<string, string>;
  readonly inspect?: boolean;
}

/** All processes of one benchmark. `end` ends every one of them. */
export interface Testbed {
  /** The main process of PostgreSQL, the parent of all others. */
  readonly postmaster: number;
  /** Starts a service on the shared database, or as `env` says otherwise. */
  start(variant: Variant, options?: StartOptions): Promise<StartedServer>;
  /** Starts the floor (`floor.ts`) with the variables of a service without telemetry. */
  startFloor(env?: Record<string, string>): Promise<Server>;
  /** Starts prom-client with the series that `server` has now. */
  startPromClient(server: Server): Promise<OwnServer>;
  readonly sql: postgres.Sql;
  /** Of the shared database. The role may make others beside it. */
  readonly databaseUrl: string;
  /** Makes a migrated, empty database beside the shared one. @returns its URL */
  addDatabase(name: string): Promise<string>;
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
  const startOwn = async (script: URL, args: string[] = [], env: NodeJS.ProcessEnv = process.env) => {
    const own = await startScript(script, args, env);
    undo.defer(() => own.end());
    return own;
  };
  const sink = await startOwn(new URL('sink.ts', import.meta.url));
  const pids = processesOn(dataDir).filter(({ name }) => name === 'postgres');

  return {
    postmaster: Math.min(...pids.map(({ pid }) => pid)),
    sql,
    databaseUrl: database.url,
    async start(variant, { env, inspect = false } = {}) {
      const begun = performance.now();
      const child = spawnService({
        ...baseEnv(database.url),
        ...telemetryEnv(variant, sink.url),
        ...env,
        ...(inspect && { NODE_OPTIONS: '--inspect=127.0.0.1:0' }),
      });
      undo.defer(() => end(child));
      const inspector = inspect ? inspectorOf(child) : undefined;
      const { logs, stdout } = collect(child);
      const started = await waitFor(() => logs.find(({ msg }) => msg === 'service.started'), 60_000).catch(
        () => {
          throw new Error(`the service did not start: ${stdout.join('\n')}`);
        },
      );
      const startMs = performance.now() - begun;
      const pid = child.pid ?? 0;
      return {
        url: String(started['url']),
        pid,
        startMs,
        startMiB: memoryOf(pid),
        inspector: await inspector,
      };
    },
    startFloor: (env) =>
      startOwn(new URL('floor.ts', import.meta.url), [], {
        PATH: process.env['PATH'],
        ...baseEnv(database.url),
        ...telemetryEnv('off', sink.url),
        ...env,
      }),
    startPromClient: ({ url }) => startOwn(new URL('prom-client-server.ts', import.meta.url), [url]),
    async addDatabase(name) {
      await sql`drop database if exists ${sql(name)}`;
      await sql`create database ${sql(name)}`;
      const { href } = Object.assign(new URL(database.url), { pathname: `/${name}` });
      await migrate(href);
      return href;
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

/** Starts a script that writes its URL when it listens. @throws when it ends before */
export async function startScript(
  script: URL,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<OwnServer> {
  const child = spawn(process.execPath, [...NODE_FLAGS, fileURLToPath(script), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${script.pathname} ended with ${code}`);
    }),
  ]);
  return { url, pid: child.pid ?? 0, end: () => end(child) };
}

/** Node tells on standard error where its inspector listens. */
function inspectorOf({ stderr }: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (!stderr) return resolve(undefined);
    createInterface({ input: stderr })
      .on('line', (line) => {
        const [, url] = /Debugger listening on (ws:\S+)/.exec(line) ?? [];
        if (url) resolve(url);
      })
      .on('close', () => resolve(undefined));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

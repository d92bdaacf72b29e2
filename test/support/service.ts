import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { collect, type LogLine, spawnService, untilAvailable, waitFor } from './child.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { parseScrape, type Scrape } from './scrape.ts';

export { type LogLine, spawnService, untilAvailable, waitFor } from './child.ts';
export { temporaryDirectory } from './temporary-directory.ts';

/** Generous, because in some tests the service first makes a database on disk. */
const START_MS = 90_000;

/** Any 32 bytes. */
export const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly body: any;
  readonly headers: Headers;
}

export interface RequestOptions {
  /** API key. */
  readonly key?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** The real service in a separate process, started as by `npm start`, on a test database. */
export interface TestService {
  readonly url: string;
  readonly database: TestDatabase;
  readonly process: ChildProcess;
  /** The lines of standard output so far. Every line must be JSON. */
  readonly logs: readonly LogLine[];
  readonly stdout: readonly string[];
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  signup(input?: { mode?: 'live' | 'sandbox'; name?: string; email?: string }): Promise<{
    developerId: string;
    apiKey: string;
  }>;
  scrape(): Promise<Scrape>;
  /** Waits until there are at least `count` log lines named `msg`. */
  logged(msg: string, count?: number): Promise<LogLine[]>;
  /** Sends SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
}

export interface StartOptions {
  readonly env?: Record<string, string>;
  /** A database that this service shares with another one. `stop` does not drop it. */
  readonly database?: TestDatabase;
  /** Passed to `spawnService`. */
  readonly within?: (command: readonly string[]) => readonly string[];
}

/** Starts the service on a free port. Rate limits are off unless `env` turns them on. */
export async function startService({
  env = {},
  database: shared,
  within,
}: StartOptions = {}): Promise<TestService> {
  const database = shared ?? (await createTestDatabase());
  const settings = {
    DATABASE_URL: database.url,
    SECRET_KEY,
    PORT: '0',
    RATE_LIMIT_ENABLED: 'false',
    DATABASE_POOL_MAX: '5',
    ...env,
  };
  const child = spawnService(settings, 'pipe', within);
  const { logs, stdout } = collect(child);
  const started = await Promise.race([
    waitFor(() => logs.find(({ msg }) => msg === 'service.started'), START_MS),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the service ended with ${code}: ${stdout.join('\n')}`);
    }),
  ]).catch((error: unknown) => {
    // No other code can stop the process yet.
    child.kill('SIGKILL');
    throw error;
  });
  const url = String(started['url']);

  const service: TestService = {
    url,
    database,
    process: child,
    logs,
    stdout,
    request: (method, path, options) => request(url, method, path, options),
    async signup({ name = 'Acme', ...input } = {}) {
      const answer = await untilAvailable(() =>
        request(url, 'POST', '/v1/signup', { body: { name, ...input } }),
      );
      if (answer.status !== 201) throw new Error(`signup: ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    scrape: async () => parseScrape(await (await fetch(`${url}/metrics`)).text()),
    logged: (msg, count = 1) =>
      waitFor(() => {
        const lines = logs.filter((line) => line.msg === msg);
        return lines.length >= count ? lines : undefined;
      }),
    async stop() {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
      child.kill('SIGTERM');
      await ended;
      if (!shared) await database.drop();
      return child.exitCode;
    },
  };
  return service;
}

/** Runs the service until it ends by itself, for configurations that it refuses. */
export async function runToEnd(
  env: Record<string, string>,
): Promise<{ code: number | null; logs: LogLine[] }> {
  const child = spawnService(env);
  const { logs } = collect(child);
  child.stderr?.resume();
  const [code] = await once(child, 'close');
  return { code, logs: [...logs] };
}

async function request(
  base: string,
  method: string,
  path: string,
  { key, body, headers = {} }: RequestOptions = {},
): Promise<Answer> {
  const response = await fetch(base + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

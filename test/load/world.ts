import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { startEmbeddedDatabase } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { collect, spawnService, waitFor } from '../support/child.ts';
import { processesOn } from '../support/embedded.ts';
import type { Party } from './scenarios.ts';

export interface Server {
  readonly url: string;
  readonly pid: number;
}

/** How much of its telemetry a service sends. */
export type Variant = 'full' | 'tenth' | 'off';

/** All processes of one benchmark; `end` leaves none of them running. */
export interface World {
  readonly bare: Server;
  /** The process under which all of PostgreSQL runs. */
  readonly postmaster: number;
  /** Starts a service on the one database; with `profileDir` it leaves a CPU profile there when it ends. */
  start(variant: Variant, profileDir?: string): Promise<Server & { startMs: number }>;
  readonly sql: postgres.Sql;
  end(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const undo = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'grantex-bench-'));
  undo.defer(() => rm(dataDir, { recursive: true, force: true }));
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
    async start(variant, profileDir) {
      const begun = performance.now();
      const child = spawnService({
        ...baseEnv(database.url),
        ...telemetryEnv(variant, sink.url),
        ...(profileDir && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` }),
      });
      undo.defer(() => end(child));
      const { logs, stdout } = collect(child);
      const started = await waitFor(() => logs.find(({ msg }) => msg === 'service.started'), 20_000).catch(
        () => {
          throw new Error(`the service did not start: ${stdout.join('\n')}`);
        },
      );
      return { url: String(started['url']), pid: child.pid ?? 0, startMs: performance.now() - begun };
    },
    end: () => undo.disposeAsync(),
  };
}

const baseEnv = (databaseUrl: string) => ({
  DATABASE_URL: databaseUrl,
  SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  PORT: '0',
  // One issuer for all services of the run: a token of one is valid at another.
  JWT_ISSUER: 'https://auth.example.com',
  RATE_LIMIT_ENABLED: 'false',
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

interface Answers {
  apiKey: string;
  agentId: string;
  authRequestId: string;
  code?: string;
  grantToken: string;
  refreshToken: string;
}

/** A developer of each kind with an agent, `tokens` grant tokens, and `refreshTokens` chains to refresh. */
export async function makeParty(
  { url }: Server,
  { tokens, refreshTokens }: { tokens: number; refreshTokens: number },
): Promise<Party> {
  const post = async (path: string, body: unknown, key?: string): Promise<Answers> => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Answers;
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const { apiKey: key } = await post('/v1/signup', { name: 'Benchmark' });
  const { apiKey: sandboxKey } = await post('/v1/signup', { name: 'Benchmark', mode: 'sandbox' });
  const { agentId } = await post('/v1/agents', { name: 'Agent' }, key);
  const { agentId: sandboxAgentId } = await post('/v1/agents', { name: 'Agent' }, sandboxKey);
  const pair = async (index: number, apiKey: string, agent: string) => {
    const request = { agentId: agent, principalId: `user_${index}`, scopes: ['calendar:read', 'email:send'] };
    const { authRequestId, code } = await post('/v1/authorize', request, apiKey);
    const approved = code ?? (await post(`/v1/consent/${authRequestId}/approve`, {})).code;
    return post('/v1/token', { code: approved, agentId: agent }, apiKey);
  };
  const grantTokens = await inTurns(tokens, async (i) => (await pair(i, key, agentId)).grantToken);
  const chains = await inTurns(
    refreshTokens,
    async (i) => (await pair(i, sandboxKey, sandboxAgentId)).refreshToken,
  );
  return {
    key,
    agentId,
    sandboxKey,
    sandboxAgentId,
    tokens: grantTokens,
    takeRefreshToken() {
      const next = chains.pop();
      if (next === undefined) throw new Error('no refresh token is left: make more');
      return next;
    },
  };
}

async function inTurns(count: number, make: (index: number) => Promise<string>): Promise<string[]> {
  const made: string[] = [];
  for (let begun = 0; begun < count; begun += 16)
    made.push(
      ...(await Promise.all(Array.from({ length: Math.min(16, count - begun) }, (_, i) => make(begun + i)))),
    );
  return made;
}

/** Fills the database with other developers' grants, each with a token and a refresh token, up to `count` in all. */
export async function growTo(sql: postgres.Sql, count: number): Promise<void> {
  const [row] = await sql<{ have: number }[]>`select count(*)::int as have from grants`;
  const missing = count - (row?.have ?? 0);
  if (missing <= 0) return;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    select 'dev_grown_' || n, 'Grown', 'live', sha256(('grown' || n)::bytea), now() from generate_series(1, 1000) n
    on conflict do nothing`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_grown_' || n, 'dev_grown_' || n, 'Grown', '', '{}', 'active', now(), now() from generate_series(1, 1000) n
    on conflict do nothing`;
  const first = row?.have ?? 0;
  await sql`with grown as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
        delegation_depth)
      select 'grnt_grown_' || n, 'dev_grown_' || n % 1000 + 1, 'ag_grown_' || n % 1000 + 1, 'user_' || n, '{calendar:read}',
        'active', now(), now() + interval '30 days', 'grnt_grown_' || n, 0
      from generate_series(${first}::int, ${first + missing}::int) n returning id, expires_at),
    refreshed as (insert into refresh_tokens (hash, grant_id, issued_at) select sha256(id::bytea), id, now() from grown)
    insert into tokens (jti, grant_id, kid, expires_at) select 'tok_' || id, id, (select min(kid) from signing_keys), expires_at
    from grown`;
  await sql`vacuum analyze`;
}

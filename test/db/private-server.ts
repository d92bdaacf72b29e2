import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { type Database, openDatabase } from '../../src/db/client.ts';
import { type Columns, float, int, text } from '../../src/db/column-types.ts';
import { query } from '../../src/db/query.ts';
import { startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { ServiceError } from '../../src/errors.ts';
import { inRequest, requestScope } from '../../src/request-scope.ts';
import { NO_DATABASE_TELEMETRY } from '../../src/telemetry/database.ts';
import { Cable } from '../support/cable.ts';
import { Authority } from '../support/certificates.ts';
import { switchTlsOn } from '../support/tls-server.ts';

/** Connections of the main pool of `connect`. */
export const POOL = 4;
export const WAYS = ['plain', 'TLS'] as const;
export type Way = (typeof WAYS)[number];

/** A query under a name of its own. */
export const statement = <P extends Columns = Record<never, never>, R extends Columns = Record<never, never>>(
  operation: string,
  text: string,
  { params, row }: { params?: P; row?: R } = {},
) => query({ operation, name: `test.${text}`, text, params: params ?? ({} as P), row: row ?? ({} as R) });
export const one = statement('SELECT', 'select $n::int as one', { params: { n: int }, row: { one: int } });
export const sleep = statement('SELECT', 'select pg_sleep($seconds)::text as slept', {
  params: { seconds: float },
  row: { slept: text },
});
export const insert = statement('INSERT', 'insert into numbers values ($n)', { params: { n: int } });
export const lockRow = statement('UPDATE', 'update numbers set n = n where n = $n', { params: { n: int } });

/** A PostgreSQL of the test's own, with and without TLS, behind a cable that may fail; it has a table `numbers`. */
export async function startPrivateServer() {
  const directory = await mkdtemp(join(tmpdir(), 'grantex-client-'));
  const server = await startEmbeddedDatabase({ dataDir: directory });
  const admin = postgres(server.url, { max: 1, onnotice: () => undefined });
  const authority = await Authority.create();
  await switchTlsOn(admin, directory, await authority.server(), authority.cert);
  await admin`create table numbers (n int primary key)`;
  const url = new URL(server.url);
  const cable = new Cable(Number(url.port));
  url.port = String(await cable.open());
  const ca = join(directory, 'ca.crt');
  await writeFile(ca, authority.cert);
  const urls: Record<Way, string> = {
    plain: url.href,
    TLS: `${url.href}?sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`,
  };
  return {
    admin,
    cable,
    urls,
    async stop() {
      await admin.end();
      await cable.close();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Watched {
  readonly db: Database;
  /** Codes of the connections that could not be made, or were lost. */
  readonly errors: string[];
  /** By what statements were ended. */
  readonly ended: string[];
}

/** The client, as the service opens it. */
export function connect(url: string, poolMax = POOL): Watched {
  const errors: string[] = [];
  const ended: string[] = [];
  const db = openDatabase({
    url,
    poolMax,
    telemetry: { ...NO_DATABASE_TELEMETRY, statementEnded: (by) => ended.push(by) },
    onConnectionError: (error) => errors.push((error as NodeJS.ErrnoException).code ?? error.message),
  });
  return { db, errors, ended };
}

/** The status that a request would be answered with, or the code of a fault whose outcome is not known. */
export const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof ServiceError ? error.status : (error as { code?: string }).code),
  );

/** Does `work` as a request does whose statements have so much time. */
export const asRequest = <T>(leftMs: number, work: () => Promise<T>, developerId?: string): Promise<T> =>
  inRequest('test', () => {
    const scope = requestScope();
    if (!scope) throw new Error('no context manager');
    scope.statementsEndAt = performance.now() + leftMs;
    scope.developerId = developerId ?? null;
    return work();
  });

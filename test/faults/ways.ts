import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cable } from '../support/cable.ts';
import { Authority } from '../support/certificates.ts';
import { type PgBouncer, type ServerTls, startPgBouncer } from '../support/pgbouncer.ts';
import { waitFor } from '../support/service.ts';
import { OwnPostgres, ROLE } from './own-postgres.ts';

/** A way from the service to its database. */
export interface Way {
  readonly name: string;
  readonly pooled: boolean;
  readonly tls: boolean;
}

export const WAYS: readonly Way[] = [
  { name: 'plain', pooled: false, tls: false },
  { name: 'TLS', pooled: false, tls: true },
  { name: 'PgBouncer', pooled: true, tls: false },
  { name: 'PgBouncer with TLS', pooled: true, tls: true },
];

/**
 * How long PgBouncer waits after its server refused a login; 15 s by default. No service behind it can recover sooner.
 */
const LOGIN_RETRY_SECONDS = 1;

/** An open way: a server, the cable in front of it, and possibly a pooler. */
export interface Route {
  readonly way: Way;
  readonly server: OwnPostgres;
  /** The cable between the service and its first peer. Without a pooler it is the cable of the server. */
  readonly front: Cable;
  /** Starts another pooler when a fault has ended it. */
  mend(): Promise<void>;
  /** The URL for the service. @param host a name or address of this machine at which a cable listens */
  url(database: string, host?: string): string;
  /** A second front cable at another address of this machine. */
  frontAt(host: string): Promise<Cable>;
  /**
   * The number of the services' connections to this database, as the other side sees it, and how many are encrypted.
   */
  connections(database: string): Promise<{ all: number; encrypted: number }>;
  /** Resolves when the pooler, if any, has noticed that it has no connection to the server. */
  poolerHasNone(database: string): Promise<void>;
  end(): Promise<void>;
}

export async function openRoute(way: Way): Promise<Route> {
  const trust = way.tls ? await makeTrust() : undefined;
  const server = await OwnPostgres.start(trust?.tls);
  let pooler = way.pooled ? await startPooler(server, trust?.tls) : undefined;
  const front = pooler ? new Cable(pooler.port) : server.cable;
  if (pooler) await front.open();
  const others: Cable[] = [];
  return {
    way,
    server,
    front,
    async mend() {
      if (!pooler || pooler.running) return;
      pooler = await startPooler(server, trust?.tls);
      front.redirectTo(pooler.port);
    },
    url(database, host = '127.0.0.1') {
      const url = new URL(server.roleUrl);
      url.host = `${host}:${front.port}`;
      url.pathname = `/${database}`;
      if (trust) {
        url.searchParams.set('sslmode', 'verify-full');
        url.searchParams.set('sslrootcert', trust.rootCertificate);
      }
      return url.href;
    },
    async frontAt(host) {
      const cable = new Cable(pooler?.port ?? server.port, host);
      await cable.open(front.port);
      others.push(cable);
      return cable;
    },
    async connections(database) {
      if (!pooler) return sessionsOf(server, database);
      const clients = await pooler.clients(database);
      return { all: clients.length, encrypted: clients.filter(({ tls }) => tls !== '').length };
    },
    async poolerHasNone(database) {
      await waitFor(async () => !pooler || (await pooler.servers(database)).length === 0 || undefined);
    },
    async end() {
      await Promise.all([front, ...others].map((cable) => cable.close()));
      await pooler?.stop();
      await server.end();
      await trust?.remove();
    },
  };
}

/** Makes a private authority, with a certificate for servers and the CA file for clients. */
async function makeTrust() {
  const authority = await Authority.create();
  const directory = await mkdtemp(join(tmpdir(), 'grantex-trust-'));
  const rootCertificate = join(directory, 'ca.pem');
  await writeFile(rootCertificate, authority.cert);
  const { cert, key } = await authority.server();
  return {
    tls: { ca: authority.cert, cert, key },
    rootCertificate,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Starts a pooler that connects through the server's cable, so that the server may move behind it. */
function startPooler(server: OwnPostgres, tls: ServerTls | undefined): Promise<PgBouncer> {
  const url = new URL(server.roleUrl);
  url.port = String(server.cable.port);
  return startPgBouncer(url.href, {
    loginRetrySeconds: LOGIN_RETRY_SECONDS,
    ...(tls && { tls }),
  });
}

async function sessionsOf(server: OwnPostgres, database: string) {
  const [row] = await server.sql<{ all: number; encrypted: number }[]>`
    select count(*)::int as all, count(*) filter (where ssl)::int as encrypted
    from pg_stat_activity join pg_stat_ssl using (pid) where datname = ${database} and usename = ${ROLE}`;
  return row ?? { all: Number.NaN, encrypted: Number.NaN };
}

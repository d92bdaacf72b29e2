import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { migrate } from '../../src/db/migrate.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { Cable } from '../support/cable.ts';
import { TEMPLATE, withDatabaseName } from '../support/database-url.ts';
import { processesOn } from '../support/embedded.ts';
import type { ServerTls } from '../support/pgbouncer.ts';
import { waitFor } from '../support/service.ts';
import { switchTlsOn } from '../support/tls-server.ts';
import { makeTmpfs, type Tmpfs } from './server-files.ts';
import { copyAsStandby } from './standby.ts';

/** The database role of the services. It is no superuser, because many refusals do not apply to superusers. */
export const ROLE = 'service';
/** Lines of pg_hba.conf: the role must use TLS, and a standby may replicate. */
const RULES = [`hostnossl all ${ROLE} all reject`, 'host replication all 127.0.0.1/32 scram-sha-256'];

/**
 * A PostgreSQL for one test, which the test may damage, behind a cable that can fail too. It is durable: only a crash
 * of the whole machine could lose what it has committed.
 */
export class OwnPostgres {
  readonly cable: Cable;
  readonly rolePassword = randomBytes(12).toString('hex');
  readonly #dataDir: string;
  readonly #connections = new Map<string, postgres.Sql>();
  #database: EmbeddedDatabase;

  private constructor(dataDir: string, database: EmbeddedDatabase) {
    this.#dataDir = dataDir;
    this.#database = database;
    this.cable = new Cable(portOf(database.url));
  }

  /** @param tls with a certificate, the role of the services must use TLS */
  static async start(tls?: ServerTls): Promise<OwnPostgres> {
    const dataDir = await mkdtemp(join(tmpdir(), 'grantex-faults-'));
    const own = new OwnPostgres(dataDir, await startEmbeddedDatabase({ dataDir, durable: false }));
    await own.cable.open();
    await own.#makeTemplate();
    if (tls) await switchTlsOn(own.sql, dataDir, tls, tls.ca, RULES);
    return own;
  }

  get port(): number {
    return portOf(this.#database.url);
  }

  /** A connection as superuser that bypasses the cable, so that it always works. */
  get sql(): postgres.Sql {
    return this.sqlOf('postgres');
  }

  sqlOf(name: string): postgres.Sql {
    let sql = this.#connections.get(name);
    if (!sql) {
      const url = withDatabaseName(this.#database.url, name);
      sql = open(url, name === 'postgres' ? 1 : 3);
      this.#connections.set(name, sql);
    }
    return sql;
  }

  /** The URL for the role of the services that bypasses the cable. */
  get roleUrl(): string {
    const url = new URL(this.#database.url);
    url.username = ROLE;
    url.password = this.rolePassword;
    return url.href;
  }

  /** Makes a migrated, empty database that the services' role owns. */
  async newDatabase(tablespace = 'pg_default'): Promise<string> {
    const { sql } = this;
    const name = `faults_${randomBytes(6).toString('hex')}`;
    await sql`create database ${sql(name)} template ${sql(TEMPLATE)} owner ${sql(ROLE)} tablespace ${sql(tablespace)}`;
    return name;
  }

  async drop(name: string): Promise<void> {
    await this.#connections.get(name)?.end({ timeout: 1 });
    this.#connections.delete(name);
    const { sql } = this;
    await sql`drop database if exists ${sql(name)} with (force)`;
  }

  /** Kills all processes of the server with SIGKILL. Nothing listens on its port any more. */
  async kill(): Promise<void> {
    process.kill(await this.#postmaster(), 'SIGKILL');
    await this.#database.exited;
    await this.cable.set('refusing');
  }

  /** Starts an orderly shutdown. New sessions are refused (57P03), and the server ends with its last session. */
  async refuseAsShuttingDown(): Promise<void> {
    process.kill(await this.#postmaster(), 'SIGTERM');
  }

  /** Starts the server again, from any state. */
  async restart(): Promise<void> {
    await this.#disconnect();
    await this.#database.stop();
    this.#database = await startEmbeddedDatabase({ dataDir: this.#dataDir, durable: false });
    this.cable.redirectTo(portOf(this.#database.url));
    await this.cable.set('through');
  }

  /** Kills one backend with SIGKILL. PostgreSQL then ends all the others and recovers by itself. */
  async killBackend(database: string): Promise<void> {
    const [backend] = await this.sql<{ pid: number }[]>`select pid from pg_stat_activity
      where datname = ${database} and usename = ${ROLE} order by query_start desc limit 1`;
    process.kill(backend?.pid ?? 0, 'SIGKILL');
  }

  /** Resolves when the server accepts connections again. */
  async answers(): Promise<void> {
    await waitFor(() =>
      this.sql`select 1`.then(
        () => true,
        () => undefined,
      ),
    );
  }

  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Ends the sessions of the services on one database with FATAL 57P01. @returns their number */
  async terminate(database: string): Promise<number> {
    const ended = await this.sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = ${database} and usename = ${ROLE}`;
    return ended.length;
  }

  /** Changes a setting of the server; null restores the default. */
  async set(name: string, value: string | null): Promise<void> {
    const { sql } = this;
    // ALTER SYSTEM takes no parameters.
    await sql.unsafe(`alter system ${value === null ? `reset ${name}` : `set ${name} = '${value}'`}`);
    await sql`select pg_reload_conf()`;
  }

  async alterRole(change: string): Promise<void> {
    await this.sql.unsafe(`alter role ${ROLE} ${change}`);
  }

  /** Starts a hot standby of this server. */
  async standby(): Promise<{ port: number; sessions(): Promise<number>; end(): Promise<void> }> {
    const dataDir = await mkdtemp(join(tmpdir(), 'grantex-standby-'));
    await copyAsStandby({ from: this.#dataDir, to: dataDir, primaryUrl: this.#database.url, sql: this.sql });
    const standby = await startEmbeddedDatabase({ dataDir, durable: false });
    const sql = open(standby.url, 1);
    return {
      port: portOf(standby.url),
      sessions: () => sessionsOf(sql),
      async end() {
        await sql.end({ timeout: 0 });
        await standby.stop();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  }

  /** Makes a tablespace on a separate disk that is small enough to fill. */
  async smallDisk(megabytes: number): Promise<{ tablespace: string; disk: Tmpfs; remove(): Promise<void> }> {
    const { sql } = this;
    const tablespace = `small_${randomBytes(4).toString('hex')}`;
    const disk = await makeTmpfs(megabytes, this.#cluster);
    await sql.unsafe(`create tablespace ${tablespace} location '${disk.path}'`);
    return {
      tablespace,
      disk,
      remove: async () => {
        // A checkpoint removes the empty files of dropped tables.
        await sql`checkpoint`;
        await sql.unsafe(`drop tablespace ${tablespace}`);
        await disk.remove();
      },
    };
  }

  async end(): Promise<void> {
    this.thaw();
    await this.cable.close();
    await this.#disconnect();
    await this.#database.stop();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  get #cluster(): string {
    return join(this.#dataDir, 'postgres');
  }

  async #disconnect(): Promise<void> {
    const all = Array.from(this.#connections.values());
    this.#connections.clear();
    await Promise.all(all.map((sql) => sql.end({ timeout: 0 })));
  }

  async #makeTemplate(): Promise<void> {
    const { sql } = this;
    await sql.unsafe(`create role ${ROLE} login password '${this.rolePassword}'`);
    await sql`create database ${sql(TEMPLATE)} owner ${sql(ROLE)}`;
    await migrate(withDatabaseName(this.roleUrl, TEMPLATE));
    await sql`alter database ${sql(TEMPLATE)} with is_template true allow_connections false`;
  }

  #signal(signal: NodeJS.Signals): void {
    for (const { pid, name } of processesOn(this.#dataDir)) {
      if (name !== 'postgres') continue;
      try {
        process.kill(pid, signal);
      } catch (error) {
        // The process has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  async #postmaster(): Promise<number> {
    return Number((await readFile(join(this.#cluster, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  }
}

const portOf = (url: string) => Number(new URL(url).port);
/** A connection that may write even when the server is set to read-only. */
const open = (url: string, max: number) =>
  postgres(url, {
    max,
    onnotice: () => undefined,
    backoff: () => 0.05,
    connection: { default_transaction_read_only: false },
  });

async function sessionsOf(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ n: number }[]>`
    select count(*)::int as n from pg_stat_activity where usename = ${ROLE}`;
  return row?.n ?? Number.NaN;
}

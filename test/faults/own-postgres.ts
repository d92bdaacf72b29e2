import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { Cable } from '../support/cable.ts';
import type { TestDatabase } from '../support/database.ts';
import { processesOn } from '../support/embedded.ts';
import { waitFor } from '../support/service.ts';

/** A PostgreSQL that a test may ill-treat: durable, of its own, and behind a cable that can fail too. */
export class OwnPostgres {
  readonly cable: Cable;
  readonly #dataDir: string;
  readonly #cablePort: number;
  #database: EmbeddedDatabase;
  #sql: postgres.Sql;

  private constructor(dataDir: string, database: EmbeddedDatabase, cable: Cable, cablePort: number) {
    this.#dataDir = dataDir;
    this.#database = database;
    this.cable = cable;
    this.#cablePort = cablePort;
    this.#sql = open(database);
  }

  static async start(): Promise<OwnPostgres> {
    const dataDir = await mkdtemp(join(tmpdir(), 'grantex-faults-'));
    const database = await startEmbeddedDatabase({ dataDir });
    const cable = new Cable(portOf(database));
    return new OwnPostgres(dataDir, database, cable, await cable.open());
  }

  /** Past the cable, so that it works whatever the cable does. */
  get sql(): postgres.Sql {
    return this.#sql;
  }

  /** For `startService`: through the cable, under one address for ever. */
  get forService(): TestDatabase {
    const url = new URL(this.#database.url);
    url.port = String(this.#cablePort);
    return { url: url.href, sql: this.#sql, drop: async () => undefined };
  }

  /** SIGKILL to the whole of it at once; nobody listens at its address any more. */
  async kill(): Promise<void> {
    process.kill(await this.#postmaster(), 'SIGKILL');
    await this.#database.exited;
    await this.cable.set('refusing');
  }

  async restart(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
    this.#database = await startEmbeddedDatabase({ dataDir: this.#dataDir });
    this.#sql = open(this.#database);
    this.cable.leadTo(portOf(this.#database));
    await this.cable.set('through');
  }

  /** SIGKILL to one process that serves a client: PostgreSQL then ends all the others, and recovers by itself. */
  async killBackend(): Promise<void> {
    const [backend] = await this.#sql<{ pid: number }[]>`select pid from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid() order by query_start desc limit 1`;
    process.kill(backend?.pid ?? 0, 'SIGKILL');
  }

  /** Resolves when it takes connections again. */
  async answers(): Promise<void> {
    await waitFor(() =>
      this.#sql`select 1`.then(
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

  async end(): Promise<void> {
    this.thaw();
    await this.cable.close();
    await this.#sql.end({ timeout: 1 });
    await this.#database.stop();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  #signal(signal: NodeJS.Signals): void {
    for (const { pid, name } of processesOn(this.#dataDir))
      if (name === 'postgres') process.kill(pid, signal);
  }

  async #postmaster(): Promise<number> {
    return Number((await readFile(join(this.#dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0]);
  }
}

const portOf = ({ url }: EmbeddedDatabase) => Number(new URL(url).port);
const open = ({ url }: EmbeddedDatabase) =>
  postgres(url, { max: 1, onnotice: () => undefined, backoff: () => 0.05 });

import { randomBytes } from 'node:crypto';
import type postgres from 'postgres';
import { startService, type TestService } from '../support/service.ts';
import { type FailoverCluster, ONLOOKER, type Way } from './cluster.ts';
import type { Node } from './settings.ts';

/** The service on a new database of the cluster. */
export class DrilledService {
  readonly service: TestService;
  readonly way: Way;
  readonly #cluster: FailoverCluster;
  readonly #name: string;
  readonly #look: { sql: postgres.Sql };

  private constructor(
    service: TestService,
    way: Way,
    cluster: FailoverCluster,
    name: string,
    look: { sql: postgres.Sql },
  ) {
    this.service = service;
    this.way = way;
    this.#cluster = cluster;
    this.#name = name;
    this.#look = look;
  }

  static async start(
    cluster: FailoverCluster,
    way: Way,
    env: Record<string, string> = {},
  ): Promise<DrilledService> {
    const name = `drill_${randomBytes(4).toString('hex')}`;
    const leader = await cluster.leader();
    const admin = cluster.open(leader, 'postgres');
    try {
      await admin`create database ${admin(name)}`;
    } finally {
      await admin.end();
    }
    const look = { sql: cluster.open(leader, name) };
    const database = {
      url: cluster.url(way, name),
      get sql() {
        return look.sql;
      },
      drop: async () => undefined,
    };
    const service = await startService({ database, env }).catch(async (error: unknown) => {
      await look.sql.end({ timeout: 0 });
      throw error;
    });
    return new DrilledService(service, way, cluster, name, look);
  }

  /** For looking at rows, on the leader of the latest `lookAt`. */
  get sql(): postgres.Sql {
    return this.#look.sql;
  }

  async lookAt(leader: Node): Promise<void> {
    await this.#look.sql.end({ timeout: 0 });
    this.#look.sql = this.#cluster.open(leader, this.#name);
  }

  /** The service's sessions on each node, by its name. */
  async sessions(): Promise<Record<string, number>> {
    const counts = this.#cluster.nodes.map(async (node) => {
      const sql = this.#cluster.open(node, 'postgres');
      try {
        const [row] = await sql`select count(*)::int as sessions from pg_stat_activity
          where datname = ${this.#name} and application_name <> ${ONLOOKER}`;
        return [node.name, Number(row?.['sessions'])];
      } finally {
        await sql.end();
      }
    });
    return Object.fromEntries(await Promise.all(counts));
  }

  /** Also after a failure. */
  async end(): Promise<void> {
    await this.#look.sql.end({ timeout: 0 });
    this.service.process.kill('SIGKILL');
  }
}

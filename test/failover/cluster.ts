import { join } from 'node:path';
import postgres from 'postgres';
import { waitFor } from '../support/child.ts';
import { freePorts } from './free-ports.ts';
import { killIn, signalIn } from './processes.ts';
import { etcdArguments, haproxySettings, type Node, PASSWORD, patroniSettings, USER } from './settings.ts';
import { Workspace } from './workspace.ts';

const SECOND = 1_000;
const NAMES = ['one', 'two', 'three'];
/** For one question to a Patroni or a PostgreSQL, which may be frozen. */
const PATIENCE_MS = SECOND;

/** What the tests call themselves to PostgreSQL: their own sessions are not the service's. */
export const ONLOOKER = 'onlooker';

/** How the service comes to the leader: HAProxy knows it, or the client itself tries the hosts in turn. */
export type Way = 'haproxy' | 'hosts';

/** Three PostgreSQL that fail over, by Patroni with etcd, and HAProxy in front of them. */
export class FailoverCluster {
  readonly nodes: readonly Node[];
  readonly #workspace: Workspace;
  readonly #haproxyPort: number;

  private constructor(workspace: Workspace, nodes: readonly Node[], haproxyPort: number) {
    this.#workspace = workspace;
    this.nodes = nodes;
    this.#haproxyPort = haproxyPort;
  }

  static async start(): Promise<FailoverCluster> {
    const [etcdPort = 0, peerPort = 0, haproxyPort = 0, ...ports] = await freePorts(3 + 2 * NAMES.length);
    const workspace = await Workspace.create();
    const nodes = NAMES.map((name, index) => ({
      name,
      directory: join(workspace.path, name),
      port: ports[2 * index] ?? 0,
      restPort: ports[2 * index + 1] ?? 0,
    }));
    const cluster = new FailoverCluster(workspace, nodes, haproxyPort);
    try {
      const etcd = await workspace.directory('etcd');
      await workspace.spawn(etcd, 'etcd', etcdArguments(etcd, etcdPort, peerPort));
      const haproxy = await workspace.directory('haproxy');
      const settings = await workspace.write(haproxy, 'haproxy.cfg', haproxySettings(haproxyPort, nodes));
      await workspace.spawn(haproxy, 'haproxy', ['-db', '-f', settings]);
      for (const node of nodes) {
        await workspace.directory(node.name);
        await workspace.write(node.directory, 'patroni.json', patroniSettings(node, etcdPort));
        await cluster.start(node);
      }
      await cluster.complete();
      return cluster;
    } catch (error) {
      const logs = await workspace.logs(
        ['etcd', 'haproxy', ...NAMES].map((name) => join(workspace.path, name)),
      );
      await workspace.end();
      throw new Error(`the cluster does not start: ${logs}`, { cause: error });
    }
  }

  /** Starts Patroni, and by it PostgreSQL, on a node that was killed. */
  start({ directory }: Node): Promise<void> {
    return this.#workspace.spawn(directory, 'patroni', [join(directory, 'patroni.json')]);
  }

  /** SIGKILL to Patroni and PostgreSQL. */
  kill({ directory }: Node): Promise<void> {
    return killIn(directory);
  }

  pause({ directory }: Node): void {
    signalIn(directory, 'SIGSTOP');
  }

  resume({ directory }: Node): void {
    signalIn(directory, 'SIGCONT');
  }

  /** A planned change of the leader, as `patronictl switchover` asks for it. */
  async switchOver(leader: Node): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${leader.restPort}/switchover`, {
      method: 'POST',
      body: JSON.stringify({ leader: leader.name }),
    });
    if (!response.ok) throw new Error(`switchover: ${response.status} ${await response.text()}`);
  }

  /** The only node that calls itself primary, once there is one. */
  leader(timeoutMs = 60 * SECOND): Promise<Node> {
    return this.#only('primary', timeoutMs);
  }

  /** The node that has every commit before its caller hears of it. */
  synchronousStandby(): Promise<Node> {
    return this.#only('synchronous', 60 * SECOND);
  }

  /** Resolves when the leader has both of its standbys, one of them synchronous, and HAProxy leads to it alone. */
  async complete(): Promise<Node> {
    try {
      return await this.#complete();
    } catch (error) {
      const directories = ['etcd', 'haproxy', ...NAMES].map((name) => join(this.#workspace.path, name));
      throw new Error(`not complete; ${await this.#workspace.logs(directories)}`, { cause: error });
    }
  }

  async #complete(): Promise<Node> {
    const attached = async (sql: postgres.Sql) => {
      const [row] =
        await sql`select count(*)::int as standbys, count(*) filter (where sync_state = 'sync')::int as sync
        from pg_stat_replication where state = 'streaming'`;
      return (row?.['standbys'] === NAMES.length - 1 && row?.['sync'] === 1) || undefined;
    };
    // Who leads is asked again each time: one that was frozen may say so of itself for a moment.
    const leader = await waitFor(async () => {
      const node = await this.leader();
      return (await this.#ask(node.port, attached)) ? node : undefined;
    }, 60 * SECOND);
    // PostgreSQL knows the synchronous standby a few seconds before etcd does, and until then nobody may succeed.
    await this.synchronousStandby();
    // Until its first checks HAProxy takes each of them for a primary.
    let inARow = 0;
    await waitFor(async () => {
      const [port] = await this.#primariesBy('haproxy', null);
      inARow = port === leader.port ? inARow + 1 : 0;
      return inARow > NAMES.length || undefined;
    }, 30 * SECOND);
    return leader;
  }

  /** The leader after `old`, as soon as somebody who comes by `way` reaches it. */
  async successorOf(old: Node, way: Way): Promise<Node> {
    return waitFor(
      async () => {
        const ports = await this.#primariesBy(way, old);
        return this.nodes.find((node) => node !== old && ports.includes(node.port));
      },
      3 * 60 * SECOND,
    );
  }

  /** For the service: one address that does not change. */
  url(way: Way, database: string): string {
    const hosts = way === 'haproxy' ? [this.#haproxyPort] : this.nodes.map(({ port }) => port);
    const query = way === 'haproxy' ? '' : '?target_session_attrs=read-write';
    return `postgres://${USER}:${PASSWORD}@${hosts.map((port) => `127.0.0.1:${port}`).join(',')}/${database}${query}`;
  }

  /** For looking at rows; straight to `node`, so that it ends with it. */
  open({ port }: Node, database: string): postgres.Sql {
    return connect(port, database, {});
  }

  end(): Promise<void> {
    return this.#workspace.end();
  }

  async #only(role: 'primary' | 'synchronous', timeoutMs: number): Promise<Node> {
    return waitFor(async () => {
      const are = await Promise.all(
        this.nodes.map(({ restPort }) =>
          fetch(`http://127.0.0.1:${restPort}/${role}`, {
            method: 'OPTIONS',
            signal: AbortSignal.timeout(PATIENCE_MS),
          }).then(
            ({ status }) => status === 200,
            () => false,
          ),
        ),
      );
      const those = this.nodes.filter((_, index) => are[index]);
      return those.length === 1 ? those[0] : undefined;
    }, timeoutMs);
  }

  /** Ports of the servers that somebody who comes by `way` may write to now; not that of `old`, when it is asked by itself. */
  async #primariesBy(way: Way, old: Node | null): Promise<number[]> {
    const others = this.nodes.filter((node) => node !== old).map(({ port }) => port);
    const primary = async (sql: postgres.Sql) => {
      const [row] = await sql`select inet_server_port() as port where not pg_is_in_recovery()`;
      return Number(row?.['port'] ?? 0);
    };
    const asked = way === 'haproxy' ? [this.#haproxyPort] : others;
    const ports = await Promise.all(asked.map((port) => this.#ask(port, primary)));
    return ports.filter((port) => port !== undefined && port !== 0) as number[];
  }

  /** On a connection of its own; undefined when it cannot be had. */
  async #ask<T>(port: number, question: (sql: postgres.Sql) => Promise<T>): Promise<T | undefined> {
    // The driver's look-up of types is awaited by nobody, and where it fails it would end the tests.
    const sql = connect(port, 'postgres', { fetch_types: false });
    try {
      return await question(sql);
    } catch {
      return undefined;
    } finally {
      await sql.end({ timeout: 0 });
    }
  }
}

const connect = (port: number, database: string, options: { fetch_types?: boolean }): postgres.Sql =>
  postgres(`postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`, {
    max: 1,
    connect_timeout: PATIENCE_MS / SECOND,
    onnotice: () => undefined,
    connection: { application_name: ONLOOKER },
    ...options,
  });

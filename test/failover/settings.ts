import { parse } from 'yaml';
import { readText } from '../deploy/compose-file.ts';

/** One PostgreSQL with its Patroni. */
export interface Node {
  readonly name: string;
  readonly directory: string;
  /** Of PostgreSQL. */
  readonly port: number;
  /** Of Patroni's REST API. */
  readonly restPort: number;
}

/** Where Debian's package keeps the programs of the server, which are not on the PATH. */
export const POSTGRESQL_PROGRAMS = '/usr/lib/postgresql/15/bin';
export const USER = 'postgres';
export const PASSWORD = 'postgres-of-a-test';
const HOST = '127.0.0.1';

/** What the guide for operators tells them to write is what is tried here. */
function snippet(fence: string): string {
  const [, text] = new RegExp(`\`\`\`${fence}\n(.*?)\`\`\``, 's').exec(readText('deploy/README.md')) ?? [];
  if (text === undefined) throw new Error(`deploy/README.md has no ${fence}`);
  return text;
}

export const etcdArguments = (directory: string, port: number, peerPort: number): string[] => [
  ...['--name', 'etcd', '--data-dir', `${directory}/data`, '--logger', 'zap'],
  ...['--listen-client-urls', `http://${HOST}:${port}`, '--advertise-client-urls', `http://${HOST}:${port}`],
  ...[
    '--listen-peer-urls',
    `http://${HOST}:${peerPort}`,
    '--initial-advertise-peer-urls',
    `http://${HOST}:${peerPort}`,
  ],
  ...['--initial-cluster', `etcd=http://${HOST}:${peerPort}`],
];

/** Patroni reads YAML, which JSON is too. */
export function patroniSettings({ name, directory, port, restPort }: Node, etcdPort: number): string {
  const { dcs } = parse(snippet('yaml patroni')).bootstrap;
  return JSON.stringify({
    scope: 'grantex',
    name,
    restapi: { listen: `${HOST}:${restPort}`, connect_address: `${HOST}:${restPort}` },
    etcd3: { hosts: `${HOST}:${etcdPort}` },
    bootstrap: {
      dcs,
      initdb: [{ encoding: 'UTF8' }, 'data-checksums'],
    },
    postgresql: {
      listen: `${HOST}:${port}`,
      connect_address: `${HOST}:${port}`,
      data_dir: `${directory}/data`,
      bin_dir: POSTGRESQL_PROGRAMS,
      pgpass: `${directory}/pgpass`,
      authentication: {
        superuser: { username: USER, password: PASSWORD },
        replication: { username: 'replicator', password: PASSWORD },
        rewind: { username: USER, password: PASSWORD },
      },
      pg_hba: [
        'local all all trust',
        `host replication replicator ${HOST}/32 scram-sha-256`,
        `host all all ${HOST}/32 scram-sha-256`,
      ],
      parameters: {
        unix_socket_directories: directory,
        // What is lost only by the end of a machine, not of processes, would cost time here.
        fsync: 'off',
      },
      basebackup: [{ checkpoint: 'fast' }],
    },
  });
}

/** With the ports of a test. */
export function haproxySettings(port: number, nodes: readonly Node[]): string {
  const withoutServers = snippet('haproxy')
    .replace(/^ *server .*\n/gm, '')
    .replace(/bind \S+/, `bind ${HOST}:${port}`);
  const servers = nodes.map(
    (node) => `  server ${node.name} ${HOST}:${node.port} check port ${node.restPort}\n`,
  );
  return withoutServers + servers.join('');
}

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

/** The least that Patroni takes: after so many seconds without a sign of life the leader's lease ends. */
export const TTL_SECONDS = 20;

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

/** Patroni reads YAML, which JSON is too. As deploy/README.md tells operators to set it up, with the ports of a test. */
export const patroniSettings = ({ name, directory, port, restPort }: Node, etcdPort: number): string =>
  JSON.stringify({
    scope: 'grantex',
    name,
    restapi: { listen: `${HOST}:${restPort}`, connect_address: `${HOST}:${restPort}` },
    etcd3: { hosts: `${HOST}:${etcdPort}` },
    bootstrap: {
      dcs: {
        ttl: TTL_SECONDS,
        loop_wait: 2,
        retry_timeout: 5,
        synchronous_mode: true,
        // What is not lost by the end of processes, only by that of a machine, costs time here.
        postgresql: { use_pg_rewind: true, parameters: { fsync: 'off' } },
      },
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
      parameters: { unix_socket_directories: directory, password_encryption: 'scram-sha-256' },
      basebackup: [{ checkpoint: 'fast' }],
    },
  });

/** HAProxy asks each Patroni whether its PostgreSQL is the primary, and ends the connections to one that no longer is. */
export const haproxySettings = (port: number, nodes: readonly Node[]): string => `
defaults
  mode tcp
  timeout connect 1s
  timeout check 1s
  timeout client 30m
  timeout server 30m
listen primary
  bind ${HOST}:${port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
${nodes.map((node) => `  server ${node.name} ${HOST}:${node.port} check port ${node.restPort}`).join('\n')}
`;

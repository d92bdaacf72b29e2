import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisAddress } from '../../src/variables/redis-url.ts';
import { waitFor } from './child.ts';
import { temporaryDirectory } from './service.ts';

/** Below the range of ports for outgoing connections, so that a killed server can use its port again. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

export async function freeRedisPort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await Promise.race([
      once(probe, 'listening').then(() => true),
      once(probe, 'error').then(() => false),
    ]);
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

/** A real `redis-server` for one test, or a real Sentinel. */
export interface RedisServer {
  readonly port: number;
  readonly process: ChildProcess;
  /** For commands of the test itself. */
  readonly client: Redis;
  /** Kills the server with SIGKILL and closes the client. */
  kill(): Promise<void>;
}

export interface RedisServerOptions {
  readonly port?: number;
  /** Lines of the configuration. */
  readonly config?: readonly string[];
  readonly sentinel?: boolean;
  /** The address for the test's own client. */
  readonly client?: RedisAddress;
}

/** Starts a server and waits until it answers. It stores nothing on disk. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freeRedisPort());
  const directory = await temporaryDirectory();
  // A Sentinel rewrites its configuration.
  const file = join(directory.path, 'redis.conf');
  const config = [
    ...(options.client?.tls ? ['port 0', `tls-port ${port}`] : [`port ${port}`]),
    'bind 127.0.0.1',
    `dir ${directory.path}`,
    ...(options.sentinel ? [] : ['save ""', 'appendonly no']),
    ...(options.config ?? []),
  ];
  await writeFile(file, `${config.join('\n')}\n`);
  const server = spawn('redis-server', [file, ...(options.sentinel ? ['--sentinel'] : [])], {
    stdio: 'ignore',
  });
  const exited = once(server, 'exit');
  const client = new Redis({
    port,
    host: '127.0.0.1',
    ...options.client,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  // The client reports errors until the server listens, and after it was killed.
  client.on('error', () => undefined);
  await Promise.race([
    client.ping(),
    exited.then(([code]) => {
      client.disconnect();
      throw new Error(`redis-server ended with ${code}`);
    }),
  ]);
  return {
    port,
    process: server,
    client,
    async kill() {
      client.disconnect();
      server.kill('SIGKILL');
      await exited;
      await directory.remove();
    },
  };
}

/** Starts a primary, its replica, and three Sentinels that monitor them. All require the password. */
export async function startSentinels(name: string, password: string) {
  const client = { password };
  const secret = [`requirepass ${password}`, `masterauth ${password}`];
  const servers: RedisServer[] = [];
  const start = async (options: RedisServerOptions) => {
    const server = await startRedis(options);
    servers.push(server);
    return server;
  };
  const stop = () => Promise.all(servers.map((server) => server.kill()));
  try {
    const primary = await start({ config: secret, client });
    const replica = await start({ config: [...secret, `replicaof 127.0.0.1 ${primary.port}`], client });
    const watching = {
      sentinel: true,
      config: [
        `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
        `sentinel auth-pass ${name} ${password}`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 5000`,
      ],
    };
    const sentinels = [await start(watching), await start(watching), await start(watching)];
    for (const { client } of sentinels)
      await waitFor(async () => {
        const replicas = await client.call('SENTINEL', 'REPLICAS', name);
        const others = await client.call('SENTINEL', 'SENTINELS', name);
        const all = Array.isArray(replicas) && replicas.length === 1 && Array.isArray(others);
        return (all && others.length === 2) || undefined;
      }, 30_000);
    return { primary, replica, sentinels, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

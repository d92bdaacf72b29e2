import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisAddress } from '../../src/variables/redis-url.ts';
import { waitFor } from './child.ts';
import { temporaryDirectory } from './service.ts';

/** Below the range from which the kernel gives ports to outgoing connections: a server that was killed finds its own again. */
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

/** A real `redis-server` of the test's own, or a real Sentinel. */
export interface RedisServer {
  readonly port: number;
  readonly process: ChildProcess;
  /** For the test's own questions. */
  readonly client: Redis;
  /** SIGKILL, and no client any more. */
  kill(): Promise<void>;
}

export interface RedisServerOptions {
  readonly port?: number;
  /** Lines of its configuration. */
  readonly config?: readonly string[];
  readonly sentinel?: boolean;
  /** How the test's own client reaches it. */
  readonly client?: RedisAddress;
}

/** Starts one and waits until it answers. It keeps nothing. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freeRedisPort());
  const directory = await temporaryDirectory();
  // A Sentinel writes into its configuration.
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
  // Until it listens, and once it was killed.
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

/** A primary, its replica, and three Sentinels that watch over them; all ask for the password. */
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

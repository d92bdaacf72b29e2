import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** The port of each part of the stack, on loopback. */
export interface Ports {
  readonly service: number;
  readonly collectorGrpc: number;
  readonly collectorHttp: number;
  readonly collectorMetrics: number;
  readonly collectorHealth: number;
  readonly jaeger: number;
  readonly jaegerGrpc: number;
  readonly jaegerOtlp: number;
  readonly prometheus: number;
  readonly alertmanager: number;
  readonly blackbox: number;
  readonly alertSink: number;
  /** The page that shows what all the others hold. */
  readonly page: number;
}

/**
 * The ports of docker-compose.yml. Only Jaeger's OTLP port differs, because the collector uses that one on this
 * machine.
 */
export const USUAL_PORTS: Ports = {
  service: 3001,
  collectorGrpc: 4317,
  collectorHttp: 4318,
  collectorMetrics: 8888,
  collectorHealth: 13133,
  jaeger: 16686,
  jaegerGrpc: 16685,
  jaegerOtlp: 14318,
  prometheus: 9090,
  alertmanager: 9093,
  blackbox: 9115,
  alertSink: 9095,
  page: 3030,
};

/** The addresses in the committed configuration files. They hold inside the network of docker-compose.yml. */
const COMMITTED: Readonly<Record<string, keyof Ports>> = {
  'grantex-auth:3001': 'service',
  // The container image has a port of its own for /metrics. On this machine the service has one port for both.
  'grantex-auth:9464': 'service',
  'otel-collector:8888': 'collectorMetrics',
  'prometheus:9090': 'prometheus',
  'alertmanager:9093': 'alertmanager',
  'blackbox:9115': 'blackbox',
  'alert-sink:9095': 'alertSink',
};

export const loopback = (port: number): string => `127.0.0.1:${port}`;

/** Replaces every address in the text of a committed configuration file by the one on this machine. */
export function rewriteAddresses(text: string, ports: Ports): string {
  return Object.entries(COMMITTED).reduce(
    (rewritten, [address, part]) => rewritten.replaceAll(address, loopback(ports[part])),
    text,
  );
}

/** Below the range of ports for outgoing connections, so that the kernel cannot take one before its program does. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

/** Ports that are free now, all different. */
export async function freePorts(): Promise<Ports> {
  const held: Server[] = [];
  try {
    const ports: { -readonly [Part in keyof Ports]: number } = { ...USUAL_PORTS };
    for (const part of Object.keys(ports) as (keyof Ports)[]) {
      const server = await listenOnFreePort();
      held.push(server);
      ports[part] = (server.address() as AddressInfo).port;
    }
    return ports;
  } finally {
    for (const server of held) server.close();
  }
}

/** The ports that are in use already, each with its part of the stack: `3001 (service)`. */
export async function takenPorts(ports: Ports): Promise<string[]> {
  const taken: string[] = [];
  for (const [part, port] of Object.entries(ports)) {
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      taken.push(`${port} (${part})`);
    }
  }
  return taken;
}

async function listenOnFreePort(): Promise<Server> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

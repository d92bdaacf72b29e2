import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a receiver of webhooks answers. `gone` ends a delivery at once, `broken` after the last attempt. */
export const RECEIVERS = ['good', 'slow', 'flaky', 'gone', 'broken', 'moved', 'closed'] as const;
export type Receiver = (typeof RECEIVERS)[number];

const SLOW_MS = 400;
/** One request in so many is refused by the flaky one. */
const FLAKY_ONE_IN = 4;

/** The receivers of the demo's webhooks: one server, a path for each kind. */
export class Receivers {
  readonly #server: Server;
  readonly #host: string;
  /** Nobody listens there. */
  readonly #closedPort: number;
  #answered = 0;
  #down = false;
  #wasDown = false;

  private constructor(server: Server, host: string, closedPort: number) {
    this.#server = server;
    this.#host = host;
    this.#closedPort = closedPort;
    server.on('request', (request, response) => {
      request.resume().on('end', () => this.#answer(request.url ?? '', response));
    });
  }

  /** @param host the name by which the service reaches this machine; where it is not loopback, all addresses are listened on */
  static async start(host: string): Promise<Receivers> {
    const isLoopback = host === 'localhost' || host === '127.0.0.1';
    const listen = async (server: Server) => {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(0, isLoopback ? '127.0.0.1' : '0.0.0.0', resolve);
      });
      return (server.address() as AddressInfo).port;
    };
    const nobody = createServer();
    const closedPort = await listen(nobody);
    const server = createServer();
    await listen(server);
    await new Promise((resolve) => nobody.close(resolve));
    return new Receivers(server, host, closedPort);
  }

  urlOf(receiver: Receiver): string {
    const port = receiver === 'closed' ? this.#closedPort : (this.#server.address() as AddressInfo).port;
    return `http://${this.#host}:${port}/${receiver}`;
  }

  /** While they are down no receiver is good: the drill. */
  setDown(down: boolean): void {
    this.#down = down;
    this.#wasDown ||= down;
  }

  get wasDown(): boolean {
    return this.#wasDown;
  }

  /** Requests that were answered. */
  get answered(): number {
    return this.#answered;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(path: string, response: ServerResponse): void {
    const status = this.#statusOf(path, this.#answered++);
    const reply = () => response.writeHead(status, status === 302 ? { location: '/good' } : {}).end();
    if (path === '/slow') setTimeout(reply, SLOW_MS);
    else reply();
  }

  #statusOf(path: string, index: number): number {
    if (path === '/gone') return 410;
    if (path === '/moved') return 302;
    if (path === '/broken') return 500;
    // Of what comes while they are down a half is lost at once, and a half is tried again.
    if (this.#down) return index % 2 === 0 ? 410 : 503;
    return path === '/flaky' && index % FLAKY_ONE_IN === 0 ? 503 : 200;
  }
}

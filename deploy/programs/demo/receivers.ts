import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a receiver of webhooks answers. `gone` ends a delivery at once, `broken` after the last attempt. */
export const RECEIVERS = ['good', 'slow', 'flaky', 'gone', 'broken', 'moved', 'closed'] as const;
export type Receiver = (typeof RECEIVERS)[number];

const SLOW_MS = 400;
/** The flaky receiver refuses one request in this many. */
const FLAKY_ONE_IN = 4;

/** The receivers of the demo's webhooks: one server with a path for each kind. */
export class Receivers {
  readonly #server: Server;
  readonly #host: string;
  /** A port on which no process listens. */
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

  /**
   * @param host the name by which the service reaches this machine; unless it is loopback, the server listens on all
   * addresses
   */
  static async start(host: string): Promise<Receivers> {
    const isLoopback = host === 'localhost' || host === '127.0.0.1';
    const listen = async (server: Server) => {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(0, isLoopback ? '127.0.0.1' : '0.0.0.0', resolve);
      });
      return (server.address() as AddressInfo).port;
    };
    const placeholder = createServer();
    const closedPort = await listen(placeholder);
    const server = createServer();
    await listen(server);
    await new Promise((resolve) => placeholder.close(resolve));
    return new Receivers(server, host, closedPort);
  }

  urlOf(receiver: Receiver): string {
    const port = receiver === 'closed' ? this.#closedPort : (this.#server.address() as AddressInfo).port;
    return `http://${this.#host}:${port}/${receiver}`;
  }

  /** Takes all receivers down or up again. While they are down, every delivery fails. */
  setDown(down: boolean): void {
    this.#down = down;
    this.#wasDown ||= down;
  }

  get wasDown(): boolean {
    return this.#wasDown;
  }

  /** The number of answered requests. */
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
    // While the receivers are down, half of the deliveries end at once and the service repeats the other half.
    if (this.#down) return index % 2 === 0 ? 410 : 503;
    return path === '/flaky' && index % FLAKY_ONE_IN === 0 ? 503 : 200;
  }
}

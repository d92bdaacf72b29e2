import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * How a cable treats its connections:
 * - `through`: forwards everything;
 * - `hanging`: keeps everything until it is `through` again, like a machine that stands still;
 * - `cut`: closes every connection, and each new one at once;
 * - `reset`: the same, with a RST instead of an orderly close;
 * - `refusing`: the same, and its port no longer accepts connections;
 * - `swallowing`: loses everything that is sent, and its connections never recover, like a packet filter that lost its
 *   state;
 * - `mute`: forwards requests and loses the answers.
 */
export type CableState = 'through' | 'hanging' | 'cut' | 'reset' | 'refusing' | 'swallowing' | 'mute';

const ENDING: ReadonlySet<CableState> = new Set(['cut', 'reset', 'refusing']);

/**
 * Below the range of ports for outgoing connections, so that the kernel cannot take the port while the cable is closed.
 */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

/** The direction that is lost: requests, answers, or both. */
export type Direction = 'asked' | 'answered' | 'both';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Requests are lost until the connection ends, whatever the state of the cable. */
  losesRequests: boolean;
  /** Answers are lost in the same way. */
  losesAnswers: boolean;
}

/** A TCP proxy between the service and its database that fails on demand. Its port stays the same. */
export class Cable {
  readonly #pairs = new Set<Pair>();
  #state: CableState = 'through';
  #server: Server | undefined;
  #far: number;
  #port = 0;
  #muteAfter: string | undefined;
  readonly #host: string;

  /**
   * @param far the port of the database on this machine
   * @param host the address of the cable: any loopback address
   */
  constructor(far: number, host = '127.0.0.1') {
    this.#far = far;
    this.#host = host;
  }

  get port(): number {
    return this.#port;
  }

  /** @param port by default a free one */
  async open(port?: number): Promise<number> {
    if (port !== undefined) {
      this.#port = port;
      await this.#listen();
    }
    while (this.#server === undefined) {
      this.#port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
      await this.#listen().catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error;
      });
    }
    return this.#port;
  }

  /** Forwards new connections to another port of the database. Existing connections stay. */
  redirectTo(far: number): void {
    this.#far = far;
  }

  /** Closes all present connections. New ones work as before. */
  closeConnections(): void {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy();
  }

  /** Loses one direction or both of all present connections until they end. New ones work as before. */
  losePackets(direction: Direction): void {
    for (const pair of this.#pairs) lose(pair, direction);
  }

  async set(state: CableState): Promise<void> {
    this.#state = state;
    this.#muteAfter = undefined;
    if (state === 'refusing') {
      this.#server?.close();
      this.#server = undefined;
    } else if (this.#server === undefined) await this.#listen();
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Loses the answer to the next request that contains `text`, and all later answers on its connection. */
  muteAfter(text: string): void {
    this.#muteAfter = text;
  }

  async close(): Promise<void> {
    await this.set('refusing');
  }

  async #listen(): Promise<void> {
    const server = createServer((near) => this.#connect(near));
    server.listen(this.#port, this.#host);
    await once(server, 'listening');
    this.#server = server;
  }

  #connect(near: Socket): void {
    near.on('error', () => near.destroy());
    if (ENDING.has(this.#state)) {
      near.destroy();
      return;
    }
    const far = connect(this.#far, '127.0.0.1');
    const pair: Pair = { near, far, losesRequests: false, losesAnswers: false };
    this.#pairs.add(pair);
    near.on('data', (chunk) => {
      if (pair.losesRequests) return;
      if (this.#muteAfter !== undefined && chunk.includes(this.#muteAfter)) pair.losesAnswers = true;
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (!pair.losesAnswers) near.write(chunk);
    });
    far.on('error', () => far.destroy());
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('close', () => {
        // The end of a connection is a packet too and can get lost. But when the near side closes, the far side always
        // closes: a real server ends the session of a lost client by its own keep-alive.
        if (one === near || !pair.losesAnswers) other.destroy();
        if (one === near) this.#pairs.delete(pair);
      });
    this.#apply(pair);
  }

  #apply(pair: Pair): void {
    const { near, far } = pair;
    if (this.#state === 'swallowing') lose(pair, 'both');
    if (this.#state === 'mute') lose(pair, 'answered');
    if (this.#state === 'reset') near.resetAndDestroy();
    for (const socket of [near, far]) {
      if (ENDING.has(this.#state)) socket.destroy();
      else if (this.#state === 'hanging') socket.pause();
      else socket.resume();
    }
  }
}

function lose(pair: Pair, direction: Direction): void {
  pair.losesRequests ||= direction !== 'answered';
  pair.losesAnswers ||= direction !== 'asked';
}

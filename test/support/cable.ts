import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What a cable does with its connections:
 * - `through`: carries everything;
 * - `hanging`: keeps everything until it is `through` again, as a machine does that stands still;
 * - `cut`: ends every connection, and each new one at once;
 * - `reset`: the same, without a word of farewell (RST);
 * - `refusing`: the same, and nobody listens any more;
 * - `swallowing`: what it holds and what is sent to it is lost, and its connections stay dead for ever: a packet filter
 *   that forgot them;
 * - `mute`: carries what is asked and loses the answers.
 */
export type CableState = 'through' | 'hanging' | 'cut' | 'reset' | 'refusing' | 'swallowing' | 'mute';

const ENDING: ReadonlySet<CableState> = new Set(['cut', 'reset', 'refusing']);

/** Below the range from which the kernel gives ports to outgoing connections: it cannot be taken while nobody listens. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

/** What is lost on the way: what is asked, what is answered, or both. */
export type Direction = 'asked' | 'answered' | 'both';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** What it loses for ever, whatever the cable does. */
  deaf: boolean;
  mute: boolean;
}

/** A cable between the service and its database that fails on demand. Its own port stays the same. */
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
   * @param host where it listens: any loopback address
   */
  constructor(far: number, host = '127.0.0.1') {
    this.#far = far;
    this.#host = host;
  }

  get port(): number {
    return this.#port;
  }

  /** @param port a free one unless given */
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

  /** The database is at another port from now on; connections that there are stay where they lead. */
  leadTo(far: number): void {
    this.#far = far;
  }

  /** Ends every connection that there is now; new ones are carried as before. */
  cutNow(): void {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy();
  }

  /** Loses one direction or both of every connection that there is now, for ever; new ones are carried as before. */
  forget(direction: Direction): void {
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

  /** Loses the answer to whatever is sent next with `text` in it, and every later one on that connection. */
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
    const pair: Pair = { near, far, deaf: false, mute: false };
    this.#pairs.add(pair);
    near.on('data', (chunk) => {
      if (pair.deaf) return;
      if (this.#muteAfter !== undefined && chunk.includes(this.#muteAfter)) pair.mute = true;
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (!pair.mute) near.write(chunk);
    });
    far.on('error', () => far.destroy());
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('close', () => {
        // The end of a connection is a packet too, and gets lost like the others. But what the near side has given up ends
        // at the far one, too: a server whose client is gone for good ends its session by its own keep-alive.
        if (one === near || !pair.mute) other.destroy();
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
  pair.deaf ||= direction !== 'answered';
  pair.mute ||= direction !== 'asked';
}

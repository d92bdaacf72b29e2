import type { Socket } from 'node:net';
import postgres from 'postgres';
import { beginsWithError, type ClosingError, readClosingError } from './closing-error.ts';
import { ConnectionLostError, isConnectionCode } from './errors.ts';

/** The socket of one connection, and what is known of its end. */
export class Link {
  closed = false;
  /** A request to cancel was sent. */
  cancelled = false;
  /** A commit was made that its standby may not have. */
  unreplicated = false;
  readonly #socket: Socket;
  readonly #onLost: (error: Error) => void;
  #received: Buffer | undefined;
  #said: ClosingError | null = null;
  #failure: Error | undefined;
  #expected = false;

  constructor(socket: Socket, onLost: (error: Error) => void, onClosed: () => void) {
    this.#socket = socket;
    this.#onLost = onLost;
    // Before the driver's own: when it tells of the end, this one knows the reason.
    socket.on('data', (chunk) => {
      this.#received = chunk;
      if (beginsWithError(chunk)) this.#said ??= readClosingError(chunk);
    });
    socket.on('error', (error) => {
      this.#failure ??= error;
    });
    socket.on('close', () => {
      this.closed = true;
      onClosed();
      if (!this.#expected) this.#onLost(this.reason());
    });
  }

  /** The caller that asked for the end learns of it from its own call. */
  expectEnd(): void {
    this.#expected = true;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** @param serverIsSilent false: only this connection is; nothing is said of the others */
  giveUp(serverIsSilent: boolean): void {
    this.#failure ??= Object.assign(new Error('the database owes an answer for too long'), {
      code: 'ETIMEDOUT',
      serverIsSilent,
    });
    this.#socket.destroy();
  }

  reason(): Error;
  reason(error: unknown): unknown;
  reason(error?: unknown): unknown {
    // What the server says of a statement. Of a connection it says the last word, which the driver may not pass on.
    if (error instanceof postgres.PostgresError) return error;
    // A fault of the caller, such as a value that no type can hold.
    if (error !== undefined && !this.closed && !this.#failure && !isConnectionCode(error)) return error;
    return new ConnectionLostError(
      this.#said ?? readClosingError(this.#received),
      this.#failure ?? error,
      this.cancelled,
    );
  }
}

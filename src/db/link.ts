import type { Socket } from 'node:net';
import postgres from 'postgres';
import { beginsWithError, type ClosingError, readClosingError } from './closing-error.ts';
import { ConnectionLostError, isConnectionCode } from './errors.ts';

/** The socket of one connection, and the reason for its end. */
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
    // These listeners come before the driver's. The reason is known when the driver reports the end.
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

  /** The caller closes the connection itself, so its end is not reported as a loss. */
  expectEnd(): void {
    this.#expected = true;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** @param serverIsSilent false: only this connection is silent; the others are not suspect */
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
    // An error of the server about a statement. Its error about the connection may not reach us through the driver.
    if (error instanceof postgres.PostgresError) return error;
    // A fault of the caller, such as a value that does not fit any type.
    if (error !== undefined && !this.closed && !this.#failure && !isConnectionCode(error)) return error;
    return new ConnectionLostError(
      this.#said ?? readClosingError(this.#received),
      this.#failure ?? error,
      this.cancelled,
    );
  }
}

import type { Socket } from 'node:net';
import type { Host, Tls } from '../database-url/target.ts';
import { openSocket } from './socket.ts';

/** The address of a backend, and the key that it gave its client at the start (BackendKeyData). Only that client may cancel. */
export interface Backend {
  readonly host: Host;
  readonly tls: Tls;
  readonly encrypted: boolean;
  readonly pid: number;
  readonly secret: number;
}

const CANCEL_REQUEST = 80_877_102;

/**
 * Asks the server to cancel the statement of a backend (PostgreSQL protocol, "Canceling Requests in Progress"). The request
 * needs a separate connection. Poolers pass it on to the server that works for this client. The server does not say whether
 * there was anything to cancel. Only the answer to the statement shows it.
 * @returns whether a server was reached within `connectMs` and took the request within `takeMs`; false also proves that no
 *   server answers there now
 */
export async function cancelStatement(backend: Backend, connectMs: number, takeMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(connectMs);
  try {
    const socket = await openSocket(backend.host, backend.tls, backend.encrypted, signal);
    return await sendRequest(socket, backend, AbortSignal.timeout(takeMs));
  } catch {
    // Every fault here has the same meaning: no server takes requests there.
    return false;
  }
}

/** The server closes the connection after it has passed the request on. */
function sendRequest(socket: Socket, { pid, secret }: Backend, signal: AbortSignal): Promise<boolean> {
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(CANCEL_REQUEST, 4);
  request.writeUInt32BE(pid, 8);
  request.writeUInt32BE(secret, 12);
  return new Promise((resolve) => {
    const giveUp = () => socket.destroy();
    signal.addEventListener('abort', giveUp, { once: true });
    let failed = false;
    socket.on('error', () => {
      failed = true;
    });
    socket.on('close', () => {
      signal.removeEventListener('abort', giveUp);
      resolve(!failed && !signal.aborted);
    });
    socket.resume();
    socket.write(request);
  });
}

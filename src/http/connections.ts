import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionEnd } from '../label-values.ts';
import { rateLimitKeyOf } from './rate-limit-key.ts';

export interface ConnectionLimits {
  /** At once, in all. */
  readonly max: number;
  /** At once, of one IPv4 address or one /64 of IPv6. */
  readonly maxPerAddress: number;
  /** Whether an address is a proxy, behind which there are many clients. */
  readonly isProxy: (address: string) => boolean;
  /** Hears of every connection that is closed because of a limit. */
  readonly onClosed: (reason: ConnectionEnd) => void;
}

/**
 * Keeps the open connections of a server, and closes those beyond the limits before anything is read from them.
 * @returns the open connections
 */
export function limitConnections(server: Server, limits: ConnectionLimits): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  const byAddress = new Map<string, number>();
  const refuse = (socket: Socket, reason: ConnectionEnd) => {
    socket.destroy();
    limits.onClosed(reason);
  };
  server.on('connection', (socket) => {
    if (connections.size >= limits.max) return refuse(socket, 'limit');
    const { remoteAddress } = socket;
    const address =
      remoteAddress === undefined || limits.isProxy(remoteAddress) ? null : rateLimitKeyOf(remoteAddress);
    if (address !== null) {
      const open = byAddress.get(address) ?? 0;
      if (open >= limits.maxPerAddress) return refuse(socket, 'address_limit');
      byAddress.set(address, open + 1);
    }
    connections.add(socket);
    socket.once('close', () => {
      connections.delete(socket);
      if (address === null) return;
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left > 0) byAddress.set(address, left);
      else byAddress.delete(address);
    });
  });
  return connections;
}

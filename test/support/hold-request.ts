import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'vitest';
import type { TestService } from './service.ts';

/** Sends a request that stays open until it is released. A replica that shuts down meanwhile waits for it. */
export async function holdRequest({ url }: TestService, key: string): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /v1/grants/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
  );
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  return () => void socket.write('{}');
}

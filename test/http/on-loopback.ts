import type { ListenOptions } from '../../src/http/server.ts';

/** A free port on loopback, and no limit that a test could meet. */
export const ON_LOOPBACK: ListenOptions = {
  host: '127.0.0.1',
  port: 0,
  keepAliveMs: 65_000,
  max: 1000,
  maxPerAddress: 1000,
  isProxy: () => false,
  onClosed: () => undefined,
};

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range from which the kernel gives ports to outgoing connections: one stays free while nobody listens there. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

/** Ports on which nobody listens now, all of them different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePorts, takenPorts } from '../../deploy/programs/stack/addresses.ts';

test('ports on which somebody listens are named with what they are for, and the others are left free', async () => {
  const ports = await freePorts();
  expect(await takenPorts(ports)).toEqual([]);
  const [first, second] = [ports.service, ports.prometheus].map((port) =>
    createServer().listen(port, '127.0.0.1'),
  );
  await Promise.all([first, second].map((server) => server && once(server, 'listening')));
  expect(await takenPorts(ports)).toEqual([`${ports.service} (service)`, `${ports.prometheus} (prometheus)`]);
  first?.close();
  second?.close();
  await Promise.all([first, second].map((server) => server && once(server, 'close')));
  expect(await takenPorts(ports)).toEqual([]);
});

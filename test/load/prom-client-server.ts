/**
 * The yardstick of the scrape: a bare `node:http` server on which prom-client writes the series that the service at the
 * URL of the first argument has. It writes its own URL to standard output.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { registryOf } from './prom-client-registry.ts';

const exposition = await (await fetch(`${process.argv[2]}/metrics`)).text();
const registry = registryOf(exposition);

const server = createServer(async (_req, res) => {
  const text = await registry.metrics();
  res.writeHead(200, {
    'content-type': registry.contentType,
    'content-length': String(Buffer.byteLength(text)),
  });
  res.end(text);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});

/**
 * The two servers of the benchmark, each in a separate process. `bare` answers every request with 15 bytes and is the
 * unit of CPU time. `sink` accepts OTLP and discards it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const bare = createServer((_req, res) => {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': '15' });
  res.end('{"status":"ok"}');
});

const sink = createServer((req, res) => {
  req.resume().on('end', () => res.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
});

const server = process.argv[2] === 'bare' ? bare : sink;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});

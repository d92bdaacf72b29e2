import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../deploy/compose-file.ts';
import { collect, waitFor } from '../support/child.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { SECRET_KEY } from '../support/service.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Makes `/`, the checkout and `/tmp` read-only for its own process, reports it, and then runs the service. */
const SCRIPT = `
  mount -o remount,bind,ro /
  for directory in /tmp "$1"; do
    mount --rbind "$directory" "$directory" && mount -o remount,bind,ro "$directory"
  done
  if touch / "$1"/written /tmp/written 2>/dev/null; then exit 3; fi
  cd "$1" && exec "$2" --max-semi-space-size=8 --heap-growing-percent=100 --import ./instrumentation/register.ts src/main.ts`;

test('with a database elsewhere the service runs where it can write nothing: in compose and in Kubernetes it does', async () => {
  const child = spawn(
    'unshare',
    ['--map-root-user', '--mount', 'sh', '-euc', SCRIPT, 'sh', ROOT, process.execPath],
    {
      env: {
        PATH: process.env['PATH'] ?? '',
        DATABASE_URL: database.url,
        SECRET_KEY,
        PORT: '0',
        METRICS_PORT: '0',
        DATA_DIR: '/data',
        // With an exporter, the service also runs a worker thread.
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ended = once(child, 'exit');
  const { logs } = collect(child);
  const started = await waitFor(() => logs.find(({ msg }) => msg === 'service.started'), 30_000);
  const answer = await fetch(`${started['url']}/v1/signup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"Acme"}',
  });
  expect(answer.status).toBe(201);
  expect((await fetch(`http://127.0.0.1:${started['metricsPort']}/metrics`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(logs.map(({ level }) => level)).not.toContain('fatal');
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { collect } from '../support/child.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { SECRET_KEY, startService, waitFor } from '../support/service.ts';

test.each([
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGINT'],
] as const)('%s waits for a request under way; %s after it ends the process at once', async (one, two) => {
  const database = await createTestDatabase();
  const service = await startService({ database, env: { SHUTDOWN_TIMEOUT_MS: '600000' } });
  const party = await newParty(service);
  const { grantId } = await party.grant();
  await database.sql.begin(async (tx) => {
    await tx`select from grants where id = ${grantId} for update`;
    const answer = service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
    const lost = expect(answer).rejects.toThrow('fetch failed');
    await waitFor(async () => {
      const [row] = await database.sql`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.['waiting'] > 0 || undefined;
    });
    const exit = once(service.process, 'exit');
    service.process.kill(one);
    await service.logged('service.stopping');
    expect(service.process.exitCode).toBeNull();
    service.process.kill(two);
    expect(await exit).toEqual([1, null]);
    await lost;
  });
  const [line] = await service.logged('service.stop_abandoned');
  expect(line).toMatchObject({ level: 'fatal', reason: `${two} during the shutdown` });
  await database.drop();
});

test('Ctrl-C under npm, which reaches the service and is passed on to it by npm, is one signal', async () => {
  const database = await createTestDatabase();
  const npm = spawn('npm', ['--silent', 'start'], {
    cwd: fileURLToPath(new URL('../../', import.meta.url)),
    env: { PATH: process.env['PATH'] ?? '', DATABASE_URL: database.url, SECRET_KEY, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, as a terminal makes one.
    detached: true,
  });
  const { logs } = collect(npm);
  await waitFor(() => logs.find(({ msg }) => msg === 'service.started'));
  process.kill(-(npm.pid as number), 'SIGINT');
  // Its exit code is that of npm, and differs between versions of npm.
  await once(npm, 'close');
  expect(logs.slice(-2).map(({ msg }) => msg)).toEqual(['service.stopping', 'service.stopped']);
  await database.drop();
});

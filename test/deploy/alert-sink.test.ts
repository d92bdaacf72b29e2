import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { waitFor } from '../support/child.ts';

const PROGRAM = fileURLToPath(new URL('../../deploy/programs/stack/alert-sink.ts', import.meta.url));
const MAX_BYTES = 1_000_000;
const KEPT = 200;

let child: ChildProcess;
let url = '';
let lines: string[] = [];

beforeAll(async () => {
  const started = spawn(process.execPath, [PROGRAM], {
    env: { PATH: process.env['PATH'] ?? '', ALERT_SINK_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  createInterface({ input: started.stdout }).on('line', (line) => lines.push(line));
  url = await waitFor(() => lines[0]?.match(/^alerts arrive at (http:\/\/127\.0\.0\.1:\d+)$/)?.[1]);
});
afterAll(async () => {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
beforeEach(() => {
  lines = [];
});

async function post(path: string, body: string, type = 'application/json'): Promise<number> {
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
  await answer.text();
  return answer.status;
}
const received = async (path: string) => (await (await fetch(`${url}${path}`)).json()) as unknown[];
const alert = (labels: Record<string, string>) =>
  JSON.stringify({ alerts: [{ status: 'firing', labels: { severity: 'warning', ...labels } }] });

test('an alert is printed and kept', async () => {
  const body = alert({ alertname: 'GrantexTargetDown' });
  expect(await post('/alerts', body, 'application/json; charset=utf-8')).toBe(200);
  expect((await received('/alerts')).at(-1)).toEqual(JSON.parse(body));
  await expect
    .poll(() => lines)
    .toEqual(['firing warning GrantexTargetDown {"severity":"warning","alertname":"GrantexTargetDown"}']);
});

test('a body of a million bytes is taken, one byte more is not, nor are twenty times as many', async () => {
  const before = (await received('/messages')).length;
  const message = (bytes: number) => `{"text":"${'x'.repeat(bytes - '{"text":""}'.length)}"}`;
  expect(await post('/messages', message(MAX_BYTES))).toBe(200);
  expect(await post('/messages', message(MAX_BYTES + 1))).toBe(413);
  expect(await post('/messages', message(20 * MAX_BYTES))).toBe(413);
  expect(await received('/messages')).toHaveLength(before + 1);
});

test('only JSON is taken, and only what looks like alerts', async () => {
  const before = (await received('/alerts')).length;
  expect(await post('/alerts', alert({}), 'text/plain')).toBe(415);
  expect(await post('/alerts', alert({}), 'application/jsonp')).toBe(415);
  for (const body of ['{', 'null', '{}', '{"alerts":[{}]}']) expect(await post('/alerts', body)).toBe(400);
  expect(await post('/elsewhere', alert({}))).toBe(404);
  expect(await received('/alerts')).toHaveLength(before);
});

test('what it prints moves no cursor and passes for no other line', async () => {
  await post('/alerts', alert({ alertname: 'A\nfiring critical B\u001b[2J\u009b1m\u202e' }));
  const attachments = [{ title: 'T\r\u001b[1A', text: 'one\nfiring critical B\u0007' }];
  await post('/messages', JSON.stringify({ channel: '#c\n', attachments }));
  await expect
    .poll(() => lines.map((line) => line.split(' {"')[0]))
    .toEqual([
      'firing warning A\\u{a}firing critical B\\u{1b}[2J\\u{9b}1m\\u{202e}',
      '#c\\u{a} T\\u{d}\\u{1b}[1A',
      '  one',
      '  firing critical B\\u{7}',
    ]);
});

test(`the newest ${KEPT} are kept`, async () => {
  for (let n = 0; n < KEPT + 3; n++) await post('/alerts', alert({ alertname: `N${n}` }));
  const names = ((await received('/alerts')) as { alerts: { labels: { alertname: string } }[] }[]).map(
    ({ alerts }) => alerts[0]?.labels.alertname,
  );
  expect(names).toEqual(Array.from({ length: KEPT }, (_, n) => `N${n + 3}`));
});

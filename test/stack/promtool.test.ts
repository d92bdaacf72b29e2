import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function check(text: string): Promise<{ code: number; output: string }> {
  const child = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  child.stdin.end(text);
  const [code] = await once(child, 'close');
  return { code, output };
}

test('Prometheus reads a live exposition and has nothing to say against our own families', async () => {
  const party = await newParty(service);
  const { grantToken } = await party.grant();
  await party.verify(grantToken);
  const { text } = await service.scrape();
  const { code, output } = await check(text);
  // 3: read, with remarks on style. Those on the families of OpenTelemetry's own instrumentations are theirs.
  expect([0, 3]).toContain(code);
  expect(output).not.toMatch(/error while linting|text format parsing error/);
  expect(output.split('\n').filter((line) => line.startsWith('grantex_'))).toEqual([]);
});

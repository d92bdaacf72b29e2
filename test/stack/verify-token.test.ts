import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { installPython } from './python.ts';

let service: TestService;
let party: Party;
let python: string;
let sample: string;
beforeAll(async () => {
  const page = await readFile(new URL('../../docs/verify-tokens.md', import.meta.url), 'utf8');
  [, sample = ''] = /```python verify\n(.*?)```/s.exec(page) ?? [];
  python = await installPython('verify-token', new URL('verify-token/requirements.txt', import.meta.url));
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service?.stop());

/** Runs the sample of the documentation page. @returns its exit code and the last line of its output */
async function run(token: string, env: Record<string, string> = {}): Promise<{ code: number; said: string }> {
  const issuer = `http://localhost:${new URL(service.url).port}`;
  const child = spawn(python, ['-c', sample], {
    env: { ISSUER: issuer, DEVELOPER_ID: party.developerId, TOKEN: token, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, said: (stdout + stderr).trim().split('\n').at(-1) ?? '' };
}

test('the Python sample accepts a token of the developer', async () => {
  const { grantToken, grantId } = await party.grant();
  expect(await run(grantToken)).toEqual({
    code: 0,
    said: `did:grantex:${party.agentId} may read the calendar of user_1, grant ${grantId}`,
  });
});

test('it refuses a valid token that another developer got for the same principal', async () => {
  const { grantToken } = await (await newParty(service)).grant();
  expect(await run(grantToken)).toEqual({ code: 1, said: "PermissionError: another developer's token" });
});

test('it refuses a token without the scope, with a wrong signature, and of another issuer', async () => {
  const { grantToken: other } = await party.grant({ scopes: ['email:send'] });
  expect(await run(other)).toEqual({ code: 1, said: 'PermissionError: not permitted' });
  const { grantToken } = await party.grant();
  expect(await run(`${grantToken.slice(0, -8)}AAAAAAAA`)).toEqual({
    code: 1,
    said: 'jwt.exceptions.InvalidSignatureError: Signature verification failed',
  });
  expect(await run(grantToken, { ISSUER: service.url })).toEqual({
    code: 1,
    said: 'jwt.exceptions.InvalidIssuerError: Invalid issuer',
  });
});

import { join } from 'node:path';
import { expect } from 'vitest';
import { readText } from '../../deploy/compose-file.ts';
import { firstBrokenEntry } from '../../support/audit-chain.ts';
import { newParty, type Party, type TokenPair } from '../../support/flow.ts';
import type { TestService } from '../../support/service.ts';
import { installPython, runProgram } from '../python.ts';

/** The shell block with this name in deploy/README.md. */
export function blockNamed(name: string): string {
  const [, text] = new RegExp(`\`\`\`sh ${name}\n(.*?)\`\`\``, 's').exec(readText('deploy/README.md')) ?? [];
  if (text === undefined) throw new Error(`deploy/README.md has no block ${name}`);
  return text;
}

/** The directory of pg_dump and pg_restore for the server's major version. The first call downloads them. */
export async function clientPrograms(): Promise<string> {
  const python = await installPython('backup', new URL('./requirements.txt', import.meta.url));
  const where = 'import sysconfig; print(sysconfig.get_path("purelib"), end="")';
  const { output: packages } = await runProgram(python, ['-c', where]);
  return join(packages, 'embedded_postgres', 'pginstall', 'bin');
}

/** Runs a shell block of deploy/README.md in `cwd`, with these client programs first on the PATH. */
export async function runBlock(
  name: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const path = `${await clientPrograms()}:${process.env['PATH']}`;
  const settings = Object.entries({ PATH: path, ...env }).map(([variable, value]) => `${variable}=${value}`);
  const { code, output } = await runProgram(
    'env',
    [...settings, 'bash', '--norc', '-euo', 'pipefail', '-c', blockNamed(name)],
    { cwd },
  );
  expect(output).toBe('');
  expect(code).toBe(0);
}

/** The content of the service at the time of the backup. */
export interface Content {
  readonly party: Party;
  readonly kept: TokenPair;
  readonly child: TokenPair;
  readonly revokedBefore: TokenPair;
  readonly jwks: unknown;
  readonly chain: readonly { readonly hash: string }[];
}

const readJwks = async (service: TestService) =>
  (await service.request('GET', '/.well-known/jwks.json')).body;

async function chainOf(service: TestService, key: string) {
  const { body } = await service.request('GET', '/v1/audit/entries?pageSize=100', { key });
  expect(body.entries).toHaveLength(body.total);
  return body.entries.reverse();
}

export async function logEntry(service: TestService, { party, kept }: Pick<Content, 'party' | 'kept'>) {
  const entry = {
    agentId: party.agentId,
    grantId: kept.grantId,
    action: 'calendar.read',
    metadata: { of: 'us' },
  };
  expect((await service.request('POST', '/v1/audit/log', { key: party.key, body: entry })).status).toBe(201);
}

export const revoke = async (service: TestService, { key }: Party, { grantId }: TokenPair): Promise<void> => {
  expect((await service.request('DELETE', `/v1/grants/${grantId}`, { key })).status).toBe(204);
};

/** Makes grants of every kind, a chain of audit entries, and a signing key. */
export async function makeContent(service: TestService): Promise<Content> {
  const party = await newParty(service);
  const [kept, revokedBefore] = [await party.grant(), await party.grant()];
  const child = await party.delegate(kept.grantToken);
  await revoke(service, party, revokedBefore);
  for (let entry = 0; entry < 3; entry++) await logEntry(service, { party, kept });
  const chain = await chainOf(service, party.key);
  return { party, kept, child, revokedBefore, jwks: await readJwks(service), chain };
}

/** The service on the restored data must have this content. */
export async function expectContent(service: TestService, content: Content): Promise<void> {
  const { party, kept, child, revokedBefore, jwks, chain } = content;
  const verify = async ({ grantToken }: TokenPair) =>
    (await service.request('POST', '/v1/tokens/verify', { key: party.key, body: { token: grantToken } })).body
      .valid;
  expect([await verify(kept), await verify(child), await verify(revokedBefore)]).toEqual([true, true, false]);
  expect(await readJwks(service)).toEqual(jwks);
  expect(await chainOf(service, party.key)).toEqual(chain);
  // The service must also continue to work: it extends the chain and refreshes a token of the grant.
  await logEntry(service, content);
  const longer = await chainOf(service, party.key);
  expect(longer).toHaveLength(chain.length + 1);
  expect(firstBrokenEntry(longer)).toBeNull();
  const refreshed = await service.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken: kept.refreshToken, agentId: party.agentId },
  });
  expect(refreshed).toMatchObject({ status: 201, body: { grantId: kept.grantId } });
  expect(await verify(refreshed.body)).toBe(true);
}

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parseTarget } from '../../src/database-url/target.ts';
import { encryptions, openSocket } from '../../src/db/socket.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { Authority } from '../support/certificates.ts';
import { switchTlsOn } from '../support/tls-server.ts';

/** A PostgreSQL with TLS, and the files that its clients have. */
let directory: string;
let server: EmbeddedDatabase;
let port: number;
const files: Record<string, string> = {};
const relays: net.Server[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'grantex-socket-'));
  const authority = await Authority.create();
  server = await startEmbeddedDatabase({ dataDir: join(directory, 'data'), durable: false });
  port = Number(new URL(server.url).port);
  const sql = postgres(server.url, { max: 1 });
  try {
    await sql`create role certified login password 'secret'`;
    await switchTlsOn(sql, join(directory, 'data'), await authority.server(), authority.cert, [
      'hostssl all certified all scram-sha-256 clientcert=verify-full',
      'hostnossl all certified all reject',
    ]);
  } finally {
    await sql.end();
  }
  const file = (name: string, content: string) => {
    files[name] = join(directory, name);
    writeFileSync(files[name], content);
  };
  file('ca', authority.cert);
  // Of the same name, so that its key alone makes the difference.
  file('other-ca', (await Authority.create()).cert);
  const [mine, another] = [await authority.client('certified', 'hunter2'), await authority.client('someone')];
  file('cert', mine.cert);
  file('key', mine.key);
  file('another-cert', another.cert);
  file('another-key', another.key);
});

afterAll(async () => {
  for (const relay of relays) relay.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Something that carries bytes to the server from where it does not listen itself. */
async function relay(listen: net.ListenOptions): Promise<net.Server> {
  const carrier = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  relays.push(carrier);
  await new Promise<void>((resolve) => carrier.listen(listen, resolve));
  return carrier;
}

interface Session {
  readonly ssl: boolean;
  readonly version: string | null;
  readonly client_dn: string | null;
}

/** Logs in through a socket that was made for this URL, and asks the server how it sees the connection. */
async function login(url: string, encrypted?: boolean): Promise<Session | undefined> {
  const { hosts, tls, user, password, database } = parseTarget(url);
  const [host] = hosts;
  if (!host) throw new Error('no host');
  const socket = await openSocket(
    host,
    tls,
    encrypted ?? encryptions(host, tls)[0] ?? false,
    AbortSignal.timeout(10_000),
  );
  // Nobody else listens, so that nothing of what the driver is told has been taken.
  for (const event of ['data', 'readable', 'connect', 'secureConnect'])
    expect(socket.listenerCount(event)).toBe(0);
  // `socket` is missing from the driver's types.
  const settings = { user, password, database, max: 1, fetch_types: false, ssl: false, socket: () => socket };
  const sql = postgres(settings as postgres.Options<Record<string, never>>);
  try {
    const [session] = await sql<Session[]>`
      select ssl, version, client_dn from pg_stat_ssl where pid = pg_backend_pid()`;
    return session;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The URL of the server with TLS, as its superuser. */
function at(host: string, parameters: Record<string, string>, change: Partial<URL> = {}): string {
  const url = Object.assign(new URL(server.url), { search: String(new URLSearchParams(parameters)) }, change);
  return url.href.replace('127.0.0.1', host);
}

const encrypted = { ssl: true, version: 'TLSv1.3', client_dn: null };
const plain = { ssl: false, version: null, client_dn: null };
const file = (name: string) => files[name] ?? '';

test.each(['localhost', '127.0.0.1'])('verify-full: %s is what the certificate is for', async (host) => {
  expect(await login(at(host, { sslmode: 'verify-full', sslrootcert: file('ca') }))).toEqual(encrypted);
});

test('verify-full: another name is not, whatever address it leads to', async () => {
  const parameters = { sslrootcert: file('ca'), hostaddr: '127.0.0.1' };
  await expect(login(at('db.example.com', { ...parameters, sslmode: 'verify-full' }))).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
  expect(await login(at('localhost', { ...parameters, sslmode: 'verify-full' }))).toEqual(encrypted);
  // Which is all that verify-ca does without.
  expect(await login(at('db.example.com', { ...parameters, sslmode: 'verify-ca' }))).toEqual(encrypted);
  expect(await login(at('db.example.com', { ...parameters, sslmode: 'require' }))).toEqual(encrypted);
});

test.each(['verify-full', 'verify-ca', 'require', 'prefer'])(
  '%s: another authority with the same name',
  async (sslmode) => {
    await expect(login(at('localhost', { sslmode, sslrootcert: file('other-ca') }))).rejects.toMatchObject({
      code: expect.stringMatching(/SIGNATURE|SELF_SIGNED|UNABLE_TO_VERIFY/),
    });
  },
);

test.each(['verify-full', 'verify-ca'])('%s: an authority that nobody knows', async (sslmode) => {
  await expect(login(at('localhost', { sslmode }))).rejects.toMatchObject({
    code: expect.stringMatching(/UNABLE_TO_|SELF_SIGNED/),
  });
});

test('verify-full: an authority that NODE_EXTRA_CA_CERTS names', async () => {
  const module = (path: string) => JSON.stringify(new URL(`../../src/${path}.ts`, import.meta.url).href);
  const script = `
    import { openSocket } from ${module('db/socket')};
    import { parseTarget } from ${module('database-url/target')};
    const { hosts, tls } = parseTarget(process.env.TARGET);
    const socket = await openSocket(hosts[0], tls, true, AbortSignal.timeout(10_000));
    console.log(socket.authorized, socket.getProtocol());
    socket.destroy();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { TARGET: at('localhost', { sslmode: 'verify-full' }), NODE_EXTRA_CA_CERTS: file('ca') },
  });
  expect(stdout).toBe('true TLSv1.3\n');
});

test('sslcrl: an authority that has no list of revoked certificates is not believed', async () => {
  const sslcrl = fileURLToPath(new URL('../database-url/fixtures/another-authority.crl', import.meta.url));
  await expect(
    login(at('localhost', { sslmode: 'verify-full', sslrootcert: file('ca'), sslcrl })),
  ).rejects.toMatchObject({ code: 'UNABLE_TO_GET_CRL' });
});

test('without an authority require, prefer and allow encrypt and verify nothing', async () => {
  expect(await login(at('localhost', { sslmode: 'require' }))).toEqual(encrypted);
  expect(await login(at('localhost', { sslmode: 'prefer' }))).toEqual(encrypted);
  expect(await login(at('localhost', { sslmode: 'allow' }))).toEqual(plain);
  expect(await login(at('localhost', { sslmode: 'allow' }), true)).toEqual(encrypted);
  expect(await login(at('localhost', { sslmode: 'disable' }))).toEqual(plain);
});

test('a server that does not encrypt says so', async () => {
  const url = `${inject('databaseUrl')}?sslmode=prefer`;
  await expect(login(url, true)).rejects.toMatchObject({ code: 'TLS_REFUSED' });
  expect(await login(url, false)).toEqual(plain);
});

test('TLS from the first byte on', async () => {
  const parameters = { sslmode: 'verify-full', sslrootcert: file('ca'), sslnegotiation: 'direct' };
  expect(await login(at('localhost', parameters))).toEqual(encrypted);
});

test('the versions of TLS are kept to', async () => {
  const session = await login(at('localhost', { sslmode: 'require', ssl_max_protocol_version: 'TLSv1.2' }));
  expect(session).toMatchObject({ version: 'TLSv1.2' });
});

test('a client certificate that the server asks for', async () => {
  const role = { username: 'certified', password: 'secret' };
  const parameters = { sslmode: 'verify-full', sslrootcert: file('ca'), dbname: 'postgres' };
  const mine = { sslcert: file('cert'), sslkey: file('key'), sslpassword: 'hunter2' };
  const another = { sslcert: file('another-cert'), sslkey: file('another-key') };
  expect(await login(at('localhost', { ...parameters, ...mine }, role))).toMatchObject({
    ssl: true,
    client_dn: '/CN=certified',
  });
  for (const [shown, code] of [
    [{}, '28000'],
    [{ ...mine, sslcertmode: 'disable' }, '28000'],
    [another, '28P01'],
  ] as const)
    await expect(login(at('localhost', { ...parameters, ...shown }, role))).rejects.toMatchObject({
      code,
    });
});

test('IPv6, encrypted and verified', async () => {
  const carrier = await relay({ host: '::1', port: 0 });
  const { port: own } = carrier.address() as net.AddressInfo;
  const url = at('[::1]', { sslmode: 'verify-full', sslrootcert: file('ca') }, { port: String(own) });
  expect(url).toContain(`@[::1]:${own}/`);
  expect(await login(url)).toEqual(encrypted);
});

test.each([
  ['in a directory', (path: string) => path],
  ['in no directory', (path: string) => path.replace('/', '@')],
])('a Unix socket %s, which is never encrypted', async (_what, name) => {
  const host = name(join(directory, 'socket'));
  if (!host.startsWith('@')) mkdirSync(host);
  await relay({ path: `${host.replace('@', '\0')}/.s.PGSQL.5433` });
  expect(await login(at('', { host, port: '5433', sslmode: 'verify-full' }))).toEqual(plain);
});

test.each([
  ['disable', [false]],
  ['allow', [false, true]],
  ['prefer', [true, false]],
  ['require', [true]],
  ['verify-ca', [true]],
  ['verify-full', [true]],
])('sslmode=%s is tried as %j', (mode, expected) => {
  const { hosts, tls } = parseTarget(`postgres://db,%2Frun/x?sslmode=${mode}`);
  expect(hosts.map((host) => encryptions(host, tls))).toEqual([expected, [false]]);
});

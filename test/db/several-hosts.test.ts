import type postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { int } from '../../src/db/column-types.ts';
import { waitFor } from '../support/child.ts';
import { connect, insert, outcome, startPrivateServer, statement } from './private-server.ts';

type Server = Awaited<ReturnType<typeof startPrivateServer>>;

const where = statement('SELECT', 'select inet_server_port() as port', { row: { port: int } });

let servers: [Server, Server];
beforeAll(async () => {
  servers = [await startPrivateServer(), await startPrivateServer()];
});
afterAll(() => Promise.all(servers.map((server) => server.stop())));

/** Reload is asynchronous: it has happened when a new transaction sees it. */
async function setReadOnly(admin: postgres.Sql, on: boolean): Promise<void> {
  await admin`set default_transaction_read_only = off`;
  if (on) await admin`alter system set default_transaction_read_only = on`;
  else await admin`alter system reset default_transaction_read_only`;
  await admin`reset default_transaction_read_only`;
  await admin`select pg_reload_conf()`;
  await waitFor(async () => {
    const [row] = await admin`show default_transaction_read_only`;
    return row?.['default_transaction_read_only'] === (on ? 'on' : 'off') || undefined;
  });
}

/** Both servers in one URL, the first one first; they have passwords of their own, so the second gets that of the first. */
async function bothHosts(): Promise<string> {
  const [first, second] = servers.map(({ urls }) => new URL(urls.plain)) as [URL, URL];
  await servers[1].admin.unsafe(`alter role ${second.username} password '${first.password}'`);
  return first.href.replace(first.host, `${first.host},${second.host}`);
}

test('of several hosts the one that takes writes is used: when one is away, when one is a standby, when they change places', async () => {
  const [first, second] = servers;
  const ports = await Promise.all(
    servers.map(
      async ({ admin }) => (await admin<{ port: number }[]>`select inet_server_port() as port`)[0]?.port,
    ),
  );
  const { db, errors } = connect(await bothHosts(), 2);
  const port = async () => (await db.all(where, {}))[0]?.port;
  const written = async () =>
    (await outcome(db.all(insert, { n: Math.floor(performance.now() * 1000) }))) === 'done';
  try {
    expect(await port()).toBe(ports[0]);

    await setReadOnly(first.admin, true);
    await waitFor(async () => (await written()) || undefined);
    expect(await port()).toBe(ports[1]);
    expect(errors).toContain('25006');

    await setReadOnly(first.admin, false);
    await setReadOnly(second.admin, true);
    await waitFor(async () => (await written()) || undefined);
    expect(await port()).toBe(ports[0]);

    await setReadOnly(second.admin, false);
    await first.cable.set('refusing');
    await waitFor(async () => (await written()) || undefined);
    expect(await port()).toBe(ports[1]);
    await first.cable.set('through');
  } finally {
    await db.close(1_000);
  }
});

import { chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type postgres from 'postgres';
import type { Certificate } from './certificates.ts';
import { waitFor } from './service.ts';

/**
 * Gives a running embedded PostgreSQL a certificate and access rules.
 * @param clientAuthority the authority of client certificates
 * @param rules lines of pg_hba.conf that come before its own
 */
export async function switchTlsOn(
  sql: postgres.Sql,
  dataDir: string,
  server: Certificate,
  clientAuthority: string,
  rules: readonly string[] = [],
): Promise<void> {
  const cluster = join(dataDir, 'postgres');
  const { uid, gid } = statSync(cluster);
  const write = (name: string, content: string) => {
    const path = join(cluster, name);
    writeFileSync(path, content, { mode: 0o600 });
    chownSync(path, uid, gid);
  };
  write('server.crt', server.cert);
  write('server.key', server.key);
  write('clients.crt', clientAuthority);
  write('pg_hba.conf', `${[...rules, 'host all all all scram-sha-256'].join('\n')}\n`);
  await sql`alter system set ssl_ca_file = 'clients.crt'`;
  await sql`alter system set ssl = on`;
  await sql`select pg_reload_conf()`;
  await waitFor(async () => {
    const [row] = await sql<{ setting: string }[]>`select setting from pg_settings where name = 'ssl'`;
    return row?.setting === 'on' || undefined;
  });
}

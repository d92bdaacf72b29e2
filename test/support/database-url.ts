/** The migrated database that every test database is a clone of. */
export const TEMPLATE = 'grantex_template';

/** The same server and role, another database. */
export function withDatabaseName(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** The migrated database from which every test database is cloned. */
export const TEMPLATE = 'grantex_template';

/** The URL of another database with the same server and role. */
export function withDatabaseName(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

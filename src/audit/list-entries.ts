import type { Deps } from '../deps.ts';
import { type AuditFilter, entriesPage } from './store.ts';
import { auditEntryView } from './view.ts';

/** One page of a developer's entries that pass the filter, as answers show it, newest first; `total` counts all of them. */
export async function listEntries(
  { db }: Pick<Deps, 'db'>,
  developerId: string,
  filter: AuditFilter,
  at: { page: number; pageSize: number; limit: number; offset: number },
) {
  const { entries, total } = await entriesPage(db, developerId, filter, at);
  return { entries: entries.map(auditEntryView), total, page: at.page, pageSize: at.pageSize };
}

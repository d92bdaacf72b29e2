import type { Deps } from '../deps.ts';
import { type AuditFilter, type AuditRow, entriesPage } from './store.ts';

/** A developer's entries that pass the filter, newest first; `total` counts all of them. */
export const listEntries = (
  { db }: Pick<Deps, 'db'>,
  developerId: string,
  filter: AuditFilter,
  page: { limit: number; offset: number },
): Promise<{ entries: AuditRow[]; total: number }> => entriesPage(db, developerId, filter, page);

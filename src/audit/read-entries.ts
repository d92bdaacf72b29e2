import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type AuditFilter, type AuditRow, auditEntry, entriesPage } from './store.ts';

/** The entries of one page. */
export interface EntriesInput {
  readonly filter: AuditFilter;
  readonly page: { readonly limit: number; readonly offset: number };
}

export interface Entries {
  readonly entries: readonly AuditRow[];
  /** The number of entries on all pages. */
  readonly total: number;
}

/** One page of a developer's entries that match the filter, newest first. */
export const listEntries = async (
  { db }: Pick<Deps, 'db'>,
  { id }: Pick<Developer, 'id'>,
  { filter, page }: EntriesInput,
): Promise<Outcome<Entries>> => done(await entriesPage(db, id, filter, page));

/** One entry. NOT_FOUND for an unknown one or one of another developer. */
export async function ownEntry(
  { db }: Pick<Deps, 'db'>,
  { id: developerId }: Pick<Developer, 'id'>,
  id: string,
): Promise<Outcome<AuditRow>> {
  const row = await auditEntry(db, { developerId, id });
  return row ? done(row) : refuse(notFound('Audit entry'));
}

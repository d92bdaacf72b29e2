import { Type } from 'typebox';
import { type Page, pageInfo, pageView } from '../http/pagination.ts';
import { orNull, Timestamp } from '../http/schemas.ts';
import { MAX_JSON_BYTES, METADATA_BYTES } from '../http/size-keywords.ts';
import type { Entries } from './read-entries.ts';
import type { AuditRow } from './store.ts';

export const AuditStatus = Type.Enum(['success', 'failure', 'blocked']);
const Metadata = Type.Record(Type.String(), Type.Unknown());
export const NewMetadata = Type.Record(Type.String(), Type.Unknown(), {
  description: `At most ${METADATA_BYTES} bytes as JSON without white space`,
  [MAX_JSON_BYTES]: METADATA_BYTES,
});
/** An entry in the form of the answers. */
export const AuditEntryView = Type.Object({
  entryId: Type.String(),
  agentId: Type.String(),
  agentDid: Type.String(),
  grantId: Type.String(),
  principalId: Type.String(),
  developerId: Type.String(),
  action: Type.String(),
  metadata: Metadata,
  hash: Type.String(),
  prevHash: orNull(Type.String()),
  timestamp: Timestamp,
  status: AuditStatus,
});
/** One page of entries in the form of the answers. */
export const AuditPageView = pageView({ entries: Type.Array(AuditEntryView) });
export const auditEntryView = (row: AuditRow) => ({
  entryId: row.id,
  agentId: row.agentId,
  agentDid: row.agentDid,
  grantId: row.grantId,
  principalId: row.principalId,
  developerId: row.developerId,
  action: row.action,
  metadata: row.metadata,
  hash: row.hash,
  prevHash: row.prevHash,
  timestamp: row.createdAt,
  status: row.status,
});
export const auditPageView =
  (page: Page) =>
  ({ entries, total }: Entries) => ({ entries: entries.map(auditEntryView), ...pageInfo(page, total) });

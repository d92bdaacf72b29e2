import { Type } from 'typebox';
import { Timestamp } from '../http/schemas.ts';
import type { AuditRow } from './store.ts';

export const AuditStatus = Type.Enum(['success', 'failure', 'blocked']);
export const Metadata = Type.Record(Type.String(), Type.Unknown());
/** An entry as answers show it. */
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
  prevHash: Type.Union([Type.String(), Type.Null()]),
  timestamp: Timestamp,
  status: AuditStatus,
});
/** One page of entries as answers show it. */
export const AuditPageView = Type.Object({
  entries: Type.Array(AuditEntryView),
  total: Type.Integer(),
  page: Type.Integer(),
  pageSize: Type.Integer(),
});
export const auditEntryView = ({ id, createdAt, ...row }: AuditRow) => ({
  entryId: id,
  ...row,
  timestamp: createdAt,
});

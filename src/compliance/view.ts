import { Type } from 'typebox';
import { AuditEntryView } from '../audit/view.ts';
import type { Grant } from '../grants/store.ts';
import { GrantStatus } from '../grants/view.ts';
import { orNull, Timestamp } from '../http/schemas.ts';
import { PolicyView } from '../policies/view.ts';

const Count = Type.Integer({ minimum: 0 });
const counts = <const N extends readonly string[]>(...names: N) =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Count])) as Record<N[number], typeof Count>);
const Times = { since: Type.Optional(Timestamp), until: Type.Optional(Timestamp) };

export const Framework = Type.Enum(['soc2', 'gdpr', 'all']);

export const SummaryView = Type.Object({
  generatedAt: Timestamp,
  ...Times,
  agents: counts('total', 'active', 'suspended', 'revoked'),
  grants: counts('total', 'active', 'revoked', 'expired'),
  auditEntries: counts('total', 'success', 'failure', 'blocked'),
  policies: counts('total'),
  plan: Type.String(),
});

const ExportedGrant = Type.Object({
  grantId: Type.String(),
  agentId: Type.String(),
  principalId: Type.String(),
  developerId: Type.String(),
  scopes: Type.Array(Type.String()),
  status: GrantStatus,
  issuedAt: Timestamp,
  expiresAt: Timestamp,
  revokedAt: orNull(Timestamp),
  delegationDepth: Type.Integer(),
});

/** A grant as exports have it. */
export const exportedGrant = (grant: Grant) => ({
  grantId: grant.id,
  agentId: grant.agentId,
  principalId: grant.principalId,
  developerId: grant.developerId,
  scopes: grant.scopes,
  status: grant.status,
  issuedAt: grant.issuedAt,
  expiresAt: grant.expiresAt,
  revokedAt: grant.revokedAt,
  delegationDepth: grant.delegationDepth,
});

const Grants = Type.Array(ExportedGrant, { description: 'Oldest first' });
const Entries = Type.Array(AuditEntryView, { description: 'In the order of the chain' });

export const GrantsExportView = Type.Object({ generatedAt: Timestamp, grants: Grants, total: Count });
export const AuditExportView = Type.Object({ generatedAt: Timestamp, entries: Entries, total: Count });
export const EvidencePackView = Type.Object({
  meta: Type.Object({
    schemaVersion: Type.Literal('1.0'),
    generatedAt: Timestamp,
    framework: Framework,
    ...Times,
  }),
  summary: SummaryView,
  grants: Grants,
  auditEntries: Entries,
  policies: Type.Array(PolicyView),
  chainIntegrity: Type.Object({
    valid: Type.Boolean(),
    checkedEntries: Count,
    firstBrokenAt: orNull(Type.String()),
  }),
});

import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { badRequest, notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { pageOf, pageQuery } from '../http/pages.ts';
import { created, ok } from '../http/reply.ts';
import { Id, PrincipalId } from '../http/schemas.ts';
import { listEntries } from './list-entries.ts';
import { logEntry } from './log-entry.ts';
import { auditEntry } from './store.ts';
import { AuditEntryView, AuditPageView, AuditStatus, auditEntryView, Metadata } from './view.ts';

export const auditRoutes = (deps: Deps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/audit/log',
    summary: 'Append an entry to the audit chain',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      agentId: Id,
      agentDid: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
      grantId: Id,
      principalId: Type.Optional(PrincipalId),
      action: Type.String({ minLength: 1, maxLength: 256 }),
      status: Type.Optional(AuditStatus),
      metadata: Type.Optional(Type.Union([Metadata, Type.Null()])),
    }),
    responses: { 201: AuditEntryView },
    handle: async ({ developer, body }) => {
      const { agentId, agentDid, grantId, principalId, action, status = 'success', metadata } = body;
      const input = { agentId, agentDid, grantId, principalId, action, status, metadata: metadata ?? {} };
      return created(auditEntryView(await logEntry(deps, developer.id, input)));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/audit/entries',
    summary: 'Audit entries, newest first',
    access: 'developer',
    limit: 'api',
    query: pageQuery({
      agentId: Type.Optional(Type.String()),
      grantId: Type.Optional(Type.String()),
      principalId: Type.Optional(Type.String()),
      action: Type.Optional(Type.String()),
      since: Type.Optional(Type.String()),
      until: Type.Optional(Type.String()),
    }),
    responses: { 200: AuditPageView },
    handle: async ({ developer, query }) => {
      const filter = { ...query, since: instant('since', query.since), until: instant('until', query.until) };
      return ok(await listEntries(deps, developer.id, filter, pageOf(query)));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/audit/:id',
    summary: 'One audit entry',
    access: 'developer',
    limit: 'api',
    responses: { 200: AuditEntryView },
    handle: async ({ developer, params }) => {
      const row = await auditEntry(deps.db, developer.id, params['id'] ?? '');
      if (!row) throw notFound('Audit entry');
      return ok(auditEntryView(row));
    },
  }),
];

/** Without a zone JavaScript would take it for a time of the machine's own. */
const WITHOUT_ZONE = /^[\d-]+[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/i;

/** A time that is asked about, UTC unless it says otherwise. @throws BAD_REQUEST */
function instant(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = new Date(WITHOUT_ZONE.test(text) ? `${text}Z` : text);
  // The year 0 and years of more than four digits, in UTC, are dates to JavaScript and none to PostgreSQL.
  const year = time.getUTCFullYear();
  if (year >= 1 && year <= 9999 && beginsWithADay(text)) return time;
  throw badRequest(`${name} must be an ISO 8601 time`);
}

/** To JavaScript the 30th of February is the 2nd of March. */
function beginsWithADay(text: string): boolean {
  const [written] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  const day = new Date(`${written}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(`${written}T`);
}

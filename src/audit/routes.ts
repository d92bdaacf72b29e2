/**
 * The audit log: recorded actions of agents, as one hash chain for each developer.
 * Tables: `audit_entries`, `audit_heads`.
 * `principal-sessions` lists the entries of a principal through this room.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { badRequest, type ServiceError } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { pageOf, pageQuery } from '../http/pagination.ts';
import { created, ok } from '../http/reply.ts';
import { Id, PrincipalId } from '../http/schemas.ts';
import { logEntry } from './log-entry.ts';
import { listEntries, ownEntry } from './read-entries.ts';
import {
  AuditEntryView,
  AuditPageView,
  AuditStatus,
  auditEntryView,
  auditPageView,
  Metadata,
} from './view.ts';

export const auditRoutes = (deps: Pick<Deps, 'db' | 'ids' | 'clock' | 'activity'>): Endpoint[] => [
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
    handle: async ({ caller, body }) => {
      const { agentId, agentDid, grantId, principalId, action, status = 'success', metadata } = body;
      const input = { agentId, agentDid, grantId, principalId, action, status, metadata: metadata ?? {} };
      return created(await logEntry(deps, caller, input), auditEntryView);
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
    check: ({ query: { since, until } }) => faultOfTime('since', since) ?? faultOfTime('until', until),
    handle: async ({ caller, query }) => {
      const page = pageOf(query);
      const filter = { ...query, since: timeOf(query.since), until: timeOf(query.until) };
      return ok(await listEntries(deps, caller, { filter, page }), auditPageView(page));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/audit/:id',
    summary: 'One audit entry',
    access: 'developer',
    limit: 'api',
    responses: { 200: AuditEntryView },
    handle: async ({ caller, params }) =>
      ok(await ownEntry(deps, caller, params['id'] ?? ''), auditEntryView),
  }),
];

/** JavaScript would read a time without a zone in the zone of the machine. */
const WITHOUT_ZONE = /^[\d-]+[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/i;

/** A time in a query. It is UTC unless it names another zone. */
const timeOf = (text: string | undefined): Date | undefined =>
  text === undefined ? undefined : new Date(WITHOUT_ZONE.test(text) ? `${text}Z` : text);

function faultOfTime(name: string, text: string | undefined): ServiceError | null {
  const time = timeOf(text);
  if (text === undefined || time === undefined) return null;
  // JavaScript accepts the year 0 and years of more than four digits in UTC, but PostgreSQL does not.
  const year = time.getUTCFullYear();
  const sound = year >= 1 && year <= 9999 && beginsWithADay(text);
  return sound ? null : badRequest(`${name} must be an ISO 8601 time`);
}

/** JavaScript turns the 30th of February into the 2nd of March. */
function beginsWithADay(text: string): boolean {
  const [written] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  const day = new Date(`${written}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(`${written}T`);
}

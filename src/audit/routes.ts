/**
 * The audit log: recorded actions of agents, as one hash chain for each developer.
 * `chain-writer.ts` appends, `make-checkpoints.ts` signs the heads of chains in the background, `verify-chain.ts` proves them.
 * Tables: `audit_entries`, `audit_heads`, `audit_checkpoints`, `audit_checkpoint_keys`; it reads `audit_prefixes`.
 * `principal-sessions` lists the entries of a principal through this room, and `compliance` exports and verifies them.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { faultOfPage, pageOf, pageQuery } from '../http/pagination.ts';
import { created, ok } from '../http/reply.ts';
import { Id, orNull, PrincipalId } from '../http/schemas.ts';
import { faultOfTimes, timesOf } from '../http/time-range.ts';
import type { KeyRing } from '../signing-keys/key-ring.ts';
import { chainRoutes } from './chain-routes.ts';
import { createChainWriter } from './chain-writer.ts';
import { logEntry } from './log-entry.ts';
import { listEntries, ownEntry } from './read-entries.ts';
import {
  AuditEntryView,
  AuditPageView,
  AuditStatus,
  auditEntryView,
  auditPageView,
  NewMetadata,
} from './view.ts';

export function auditRoutes(
  deps: Pick<Deps, 'db' | 'ids' | 'clock' | 'activity' | 'config'> & {
    readonly keys: Pick<KeyRing, 'published'>;
  },
): Endpoint[] {
  const writeChain = createChainWriter(deps);
  return [
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
        metadata: Type.Optional(orNull(NewMetadata)),
      }),
      responses: { 201: AuditEntryView },
      handle: async ({ caller, body }) => {
        const { agentId, agentDid, grantId, principalId, action, status = 'success', metadata } = body;
        const input = { agentId, agentDid, grantId, principalId, action, status, metadata: metadata ?? {} };
        return created(await logEntry({ ...deps, writeChain }, caller, input), auditEntryView);
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/audit/entries',
      large: true,
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
      check: ({ query }) =>
        faultOfTimes(query) ??
        faultOfPage(query, ['agentId', 'grantId', 'principalId', 'action', 'since', 'until']),
      handle: async ({ caller, query }) => {
        const page = pageOf(query);
        const filter = { ...query, ...timesOf(query) };
        return ok(await listEntries(deps, caller, { filter, page }), auditPageView(page));
      },
    }),
    ...chainRoutes(deps),
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
}

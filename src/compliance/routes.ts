/**
 * Compliance: reports and exports over what there is, for auditors. It only reads.
 * `summary.ts` counts. Exports are written while they are read, so they may be of any length.
 * This room has no table. It reads those of other rooms: `agents`, `grants`, `audit_entries`, `policies`, `removed_grants`.
 */
import { type TProperties, Type } from 'typebox';
import { allEntries } from '../audit/all-entries.ts';
import { verifyChain } from '../audit/verify-chain.ts';
import { AuditStatus, auditEntryView } from '../audit/view.ts';
import type { Deps } from '../deps.ts';
import { allGrants } from '../grants/all-grants.ts';
import { GrantStatus } from '../grants/view.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { elements, gathered } from '../http/json-parts.ts';
import { streamed } from '../http/reply.ts';
import { blanksUntil } from '../http/stream.ts';
import { faultOfTimes, timesOf } from '../http/time-range.ts';
import { isRefused } from '../outcome.ts';
import { ownPolicies } from '../policies/manage-policies.ts';
import type { KeyRing } from '../signing-keys/key-ring.ts';
import { endOf, summarize } from './summary.ts';
import {
  AuditExportView,
  EvidencePackView,
  exportedGrant,
  Framework,
  GrantsExportView,
  SummaryView,
} from './view.ts';

/** A query of a report: its filters plus the bounds of its period. */
const periodQuery = <P extends TProperties>(filters: P) =>
  Type.Object({ since: Type.Optional(Type.String()), until: Type.Optional(Type.String()), ...filters });

export function complianceRoutes(
  deps: Pick<Deps, 'db' | 'clock'> & { readonly keys: Pick<KeyRing, 'published'> },
): Endpoint[] {
  const { db } = deps;
  const periodOf = (query: { since?: string; until?: string }, signal: AbortSignal | undefined) => ({
    ...timesOf(query),
    now: new Date(deps.clock.now()),
    signal,
  });

  return [
    endpoint({
      method: 'get',
      path: '/v1/compliance/summary',
      summary: 'Numbers of agents, grants, audit entries and policies',
      access: 'developer',
      limit: 'api',
      long: true,
      query: periodQuery({}),
      responses: { 200: SummaryView },
      check: ({ query }) => faultOfTimes(query),
      handle: async ({ caller, query, signal }) => {
        async function* parts() {
          yield JSON.stringify(yield* blanksUntil(summarize(db, caller, periodOf(query, signal))));
        }
        return streamed(parts());
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/compliance/export/grants',
      summary: 'All grants that were issued in a period',
      access: 'developer',
      limit: 'api',
      long: true,
      query: periodQuery({ status: Type.Optional(GrantStatus) }),
      responses: { 200: GrantsExportView },
      check: ({ query }) => faultOfTimes(query),
      handle: async ({ caller, query, signal }) => {
        const period = periodOf(query, signal);
        const { status } = query;
        const input = { ...period, developerId: caller.id, until: endOf(period), status };
        async function* parts() {
          yield `{"generatedAt":${JSON.stringify(period.now)},"grants":[`;
          const total = yield* elements(allGrants(db, input), exportedGrant);
          yield `],"total":${total}}`;
        }
        return streamed(gathered(parts()));
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/compliance/export/audit',
      summary: 'All audit entries of a period',
      access: 'developer',
      limit: 'api',
      long: true,
      query: periodQuery({ agentId: Type.Optional(Type.String()), status: Type.Optional(AuditStatus) }),
      responses: { 200: AuditExportView },
      check: ({ query }) => faultOfTimes(query),
      handle: async ({ caller, query, signal }) => {
        const period = periodOf(query, signal);
        const { agentId, status } = query;
        const input = { ...period, developerId: caller.id, until: endOf(period), agentId, status };
        async function* parts() {
          yield `{"generatedAt":${JSON.stringify(period.now)},"entries":[`;
          const total = yield* elements(allEntries(db, input), auditEntryView);
          yield `],"total":${total}}`;
        }
        return streamed(gathered(parts()));
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/compliance/evidence-pack',
      summary: 'Everything of a period in one document, with the verification of the audit chain',
      access: 'developer',
      limit: 'api',
      long: true,
      query: periodQuery({ framework: Type.Optional(Framework) }),
      responses: { 200: EvidencePackView },
      check: ({ query }) => faultOfTimes(query),
      handle: async ({ caller, query, signal }) => {
        const period = periodOf(query, signal);
        const { now: generatedAt, since, until } = period;
        const { framework = 'all' } = query;
        const input = { ...period, developerId: caller.id, until: endOf(period) };
        async function* parts() {
          const policies = await ownPolicies(deps, caller);
          if (isRefused(policies)) throw policies.refusal;
          const meta = { schemaVersion: '1.0', generatedAt, framework, since, until };
          yield `{"meta":${JSON.stringify(meta)},"summary":`;
          yield JSON.stringify(yield* blanksUntil(summarize(db, caller, period)));
          yield ',"grants":[';
          yield* elements(allGrants(db, input), exportedGrant);
          yield '],"auditEntries":[';
          yield* elements(allEntries(db, input), auditEntryView);
          yield `],"policies":${JSON.stringify(policies.value)},"chainIntegrity":`;
          const verifying = verifyChain(
            { db, published: deps.keys.published },
            { developerId: caller.id, since, until, signal },
          );
          const { valid, checkedEntries, firstBrokenAt } = yield* blanksUntil(verifying);
          yield `${JSON.stringify({ valid, checkedEntries, firstBrokenAt })}}`;
        }
        return streamed(gathered(parts()));
      },
    }),
  ];
}

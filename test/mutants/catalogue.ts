/** One fault, and the test files that must notice it, each by itself. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Exactly one place of the file. */
  readonly text: string;
  readonly replacement: string;
  readonly killedBy: readonly string[];
}

const MODEL = 'test/model/model.test.ts';
const SINGLE_USE = 'test/tokens/single-use.test.ts';
const REFRESH = 'test/tokens/refresh.test.ts';
const DELEGATION = 'test/grants/delegation.test.ts';
const VERIFY = 'test/tokens/verify.test.ts';
const CONSENT = 'test/consent/routes.test.ts';
const RACING_CLAIMS = 'test/races/single-use.test.ts';
const RACING_REVOCATIONS = 'test/races/revocation.test.ts';
const RACING_DECISIONS = 'test/races/consent.test.ts';
const REPLICAS = 'test/races/replicas.test.ts';

/** Faults in what is stored: conditions left out, locks not taken, rows counted wrongly. */
const STORED: Mutant[] = [
  {
    name: 'exchange-for-suspended-agent',
    file: 'src/tokens/exchange-store.ts',
    text: "and agent.status = 'active'\n",
    replacement: '\n',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'exchange-of-expired-code',
    file: 'src/tokens/exchange-store.ts',
    text: 'and request.code_expires_at > asked.now',
    replacement: '',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'exchange-twice-when-racing',
    file: 'src/tokens/exchange-store.ts',
    text: 'where request.id = matching.id and request.exchanged_at is null and',
    replacement: 'where request.id = matching.id and',
    killedBy: [RACING_CLAIMS],
  },
  {
    name: 'exchange-of-replaced-code-when-racing',
    file: 'src/tokens/exchange-store.ts',
    text: `and request.code_hash = decode(asked."codeHash", 'hex')\n`,
    replacement: '\n',
    killedBy: [RACING_DECISIONS],
  },
  {
    name: 'refresh-twice-when-racing',
    file: 'src/tokens/refresh-store.ts',
    text: 'and presented.xmin = chosen.version',
    replacement: '',
    killedBy: [RACING_CLAIMS],
  },
  {
    name: 'refresh-of-expired-grant',
    file: 'src/tokens/refresh-store.ts',
    text: 'and grants.expires_at > asked.now',
    replacement: '',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'refresh-for-suspended-agent',
    file: 'src/tokens/refresh-store.ts',
    text: "and agent.status = 'active' and grants.status",
    replacement: 'and grants.status',
    killedBy: [MODEL, REFRESH],
  },
  {
    name: 'refresh-by-replaced-token',
    file: 'src/tokens/refresh-store.ts',
    text: 'presented.replaced_at is null and (presented.used_at is null',
    replacement: '(presented.used_at is null',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'refresh-keeps-unused-successor',
    file: 'src/tokens/refresh-store.ts',
    text: 'where successor.predecessor = claimed.hash and',
    replacement: 'where false and',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'retry-under-any-key',
    file: 'src/tokens/refresh-store.ts',
    text: `presented.idempotency_hash = decode(asked."idempotencyHash", 'hex')`,
    replacement: 'presented.idempotency_hash is not null',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'delegate-wider-scopes-but-say-400',
    file: 'src/grants/delegation-store.ts',
    text: "agent.status = 'active' and parent.scopes_allowed and",
    replacement: "agent.status = 'active' and",
    killedBy: [MODEL],
  },
  {
    name: 'delegate-one-level-deeper',
    file: 'src/grants/delegation-store.ts',
    text: 'parent.delegation_depth < $8::int',
    replacement: 'parent.delegation_depth <= $8::int',
    killedBy: [MODEL, DELEGATION],
  },
  {
    name: 'delegate-beyond-the-parents-life',
    file: 'src/grants/delegation-store.ts',
    text: 'least(parent.expires_at,',
    replacement: 'greatest(parent.expires_at,',
    killedBy: [MODEL, DELEGATION],
  },
  {
    name: 'delegate-with-revoked-token',
    file: 'src/grants/delegation-store.ts',
    text: 'and grant_id = $2 and revoked_at is null)',
    replacement: 'and grant_id = $2)',
    killedBy: [MODEL],
  },
  {
    name: 'delegate-without-locking-the-tree',
    file: 'src/grants/delegation-store.ts',
    text: '\n      for share of root),',
    replacement: '),',
    killedBy: [RACING_REVOCATIONS],
  },
  {
    name: 'revoke-without-locking-the-tree',
    file: 'src/grants/store.ts',
    text: 'await tx.rows(lockRoots, [developerId, grantId, agentId]);',
    replacement: '',
    killedBy: [RACING_REVOCATIONS],
  },
  {
    name: 'revoke-without-descendants',
    file: 'src/grants/store.ts',
    text: 'join tree on child.parent_grant_id = tree.id',
    replacement: 'join tree on child.parent_grant_id = tree.id and false',
    killedBy: [MODEL, DELEGATION],
  },
  {
    name: 'revoke-and-count-the-revoked-again',
    file: 'src/grants/store.ts',
    text: "where grants.id = tree.id and grants.status = 'active'",
    replacement: 'where grants.id = tree.id',
    killedBy: [MODEL],
  },
  {
    name: 'revoke-spares-the-expired',
    file: 'src/grants/store.ts',
    text: "and status = 'active'\n      union",
    replacement: "and status = 'active' and expires_at > $4\n      union",
    killedBy: [MODEL],
  },
  {
    name: 'tally-forgets-delegated-grants',
    file: 'src/grants/store.ts',
    text: 'count(*) filter (where parent_grant_id is not null)',
    replacement: '0',
    killedBy: [MODEL],
  },
  {
    name: 'status-of-expired-grant-is-active',
    file: 'src/grants/store.ts',
    text: "when expires_at <= $2 then 'expired'",
    replacement: "when expires_at <= $2 then 'active'",
    killedBy: [MODEL, DELEGATION],
  },
  {
    name: 'gauge-counts-the-expired',
    file: 'src/grants/store.ts',
    text: "where status = 'active' and expires_at > $1`",
    replacement: "where status = 'active' and $1::timestamptz is not null`",
    killedBy: [MODEL],
  },
  {
    name: 'decide-again',
    file: 'src/consent/store.ts',
    text: "and pending.status = 'pending' and exchanged_at",
    replacement: 'and exchanged_at',
    killedBy: [MODEL, CONSENT, RACING_DECISIONS],
  },
  {
    name: 'decide-after-the-exchange',
    file: 'src/consent/store.ts',
    text: "pending.status = 'pending' and exchanged_at is null and",
    replacement: "pending.status = 'pending' and",
    killedBy: [MODEL, RACING_DECISIONS],
  },
  {
    name: 'decide-on-expired-request',
    file: 'src/consent/store.ts',
    text: 'and expires_at > $6',
    replacement: 'and $6::timestamptz is not null',
    killedBy: [MODEL, CONSENT],
  },
  {
    name: 'audit-without-locking-the-chain',
    file: 'src/audit/store.ts',
    text: 'insert into audit_heads (developer_id, hash) values ($1, null)\n    on conflict (developer_id) do update set developer_id = excluded.developer_id returning hash',
    replacement:
      'with made as (insert into audit_heads (developer_id, hash) values ($1, null) on conflict do nothing)\n    select hash from audit_heads where developer_id = $1',
    killedBy: [REPLICAS, 'test/audit/chain.test.ts'],
  },
  {
    name: 'migrate-without-lock',
    file: 'src/db/migrate.ts',
    text: 'await tx`select pg_advisory_xact_lock(',
    // Never the same key twice.
    replacement: 'await tx`select pg_advisory_xact_lock((random() * 1e9)::bigint + ',
    killedBy: [REPLICAS, 'test/db/migrate.test.ts'],
  },
];

/** Faults in what is decided and told: steps left out, wrong words, wrong numbers. */
const TOLD: Mutant[] = [
  {
    name: 'replayed-code-goes-unpunished',
    file: 'src/tokens/exchange-code.ts',
    text: 'await revokeIfReplayed(deps, developerId, codeHash);\n',
    replacement: '\n',
    killedBy: [MODEL, SINGLE_USE, RACING_CLAIMS],
  },
  {
    name: 'reused-refresh-token-goes-unpunished',
    file: 'src/tokens/refresh-token.ts',
    text: "if (grantId !== null) await revokeGrant(deps, { developerId, grantId, revokedBy: 'refresh_reuse' });",
    replacement: 'void grantId;',
    killedBy: [MODEL, REFRESH, RACING_CLAIMS],
  },
  {
    name: 'retry-for-fifty-minutes',
    file: 'src/tokens/refresh-token.ts',
    text: '5 * 60 * 1000',
    replacement: '50 * 60 * 1000',
    killedBy: [MODEL, SINGLE_USE],
  },
  {
    name: 'verify-ignores-suspension',
    file: 'src/tokens/verify-token.ts',
    text: "if (state.agentStatus !== 'active') return 'agent_suspended';",
    replacement: '',
    killedBy: [MODEL, VERIFY],
  },
  {
    name: 'verify-ignores-revoked-grant',
    file: 'src/tokens/verify-token.ts',
    text: 'if (state.tokenRevoked || state.grantRevoked)',
    replacement: 'if (state.tokenRevoked)',
    killedBy: [MODEL, VERIFY, RACING_REVOCATIONS],
  },
  {
    name: 'verify-for-another-developer',
    file: 'src/tokens/verify-token.ts',
    text: "if (state.ownerId !== state.callerId) return 'other_developer';",
    replacement: '',
    killedBy: [MODEL, VERIFY],
  },
  {
    name: 'keys-are-remembered',
    file: 'src/developers/authenticate.ts',
    text: 'const developer = await developerByKeyHash(db, keyHash);',
    replacement: `const all = globalThis as unknown as { known?: Map<string, Developer> };
  all.known ??= new Map();
  const developer = all.known.get(keyHash.toString('hex')) ?? (await developerByKeyHash(db, keyHash));
  if (developer) all.known.set(keyHash.toString('hex'), developer);`,
    killedBy: [REPLICAS, 'test/developers/keys.test.ts'],
  },
  {
    name: 'deleted-agents-revocations-go-uncounted',
    file: 'src/agents/delete-agent.ts',
    text: 'recordRevocation(deps.telemetry.events, revocation);',
    replacement: 'void recordRevocation;',
    killedBy: [MODEL, RACING_REVOCATIONS],
  },
  {
    name: 'revocations-are-counted-by-tree',
    file: 'src/telemetry/events.ts',
    text: 'instruments.grantsRevoked.add(rows,',
    replacement: 'instruments.grantsRevoked.add(Math.min(1, rows),',
    killedBy: [MODEL, DELEGATION, RACING_REVOCATIONS],
  },
  {
    name: 'cascade-counts-the-named-grant',
    file: 'src/grants/revoke-grants.ts',
    text: 'cascadeCount: members.length - 1,',
    replacement: 'cascadeCount: members.length,',
    killedBy: [MODEL, DELEGATION],
  },
  {
    name: 'delegations-are-counted-as-consented',
    file: 'src/grants/delegate-grant.ts',
    text: "origin: 'delegation', latencyMs",
    replacement: "origin: 'consent', latencyMs",
    killedBy: [MODEL, DELEGATION],
  },
  {
    name: 'decisions-are-all-counted-as-approved',
    file: 'src/consent/decide.ts',
    text: 'telemetry.events.consentDecided({ decision,',
    replacement: "telemetry.events.consentDecided({ decision: 'approved',",
    killedBy: [MODEL, CONSENT, RACING_DECISIONS],
  },
  {
    name: 'refused-attempts-are-counted-as-success',
    file: 'src/telemetry/attempts.ts',
    text: 'if (status >= 200 && status < 300)',
    replacement: 'if (status >= 200 && status < 500)',
    killedBy: [MODEL, 'test/tokens/exchange.test.ts', RACING_CLAIMS],
  },
];

export const MUTANTS: readonly Mutant[] = [...STORED, ...TOLD];

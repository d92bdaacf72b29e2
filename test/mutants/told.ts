import {
  CONSENT,
  DELEGATION,
  MODEL,
  RACING_CLAIMS,
  RACING_DECISIONS,
  RACING_REVOCATIONS,
  REFRESH,
  REPLICAS,
  SINGLE_USE,
  VERIFY,
} from './files.ts';
import type { Mutant } from './mutant.ts';

/** Faults in what is decided and told: steps left out, wrong words, wrong numbers. */
export const TOLD: Mutant[] = [
  {
    name: 'replayed-code-goes-unpunished',
    file: 'src/tokens/exchange-code.ts',
    text: "await revokeMisusedGrant(deps, { developerId, grantId: code.grantId, revokedBy: 'code_replay' });",
    replacement: 'void code;',
    killedBy: [MODEL, SINGLE_USE, RACING_CLAIMS],
  },
  {
    name: 'reused-refresh-token-goes-unpunished',
    file: 'src/tokens/refresh-token.ts',
    text: "await revokeMisusedGrant(deps, { developerId, grantId: token.grantId, revokedBy: 'refresh_reuse' });",
    replacement: 'void token;',
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
    text: "if (state.ownerId !== state.developerId) return 'other_developer';",
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
    text: 'recordRevocation(deps, revocation.value);',
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
    text: '    decision,\n    waited:',
    replacement: "    decision: 'approved',\n    waited:",
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

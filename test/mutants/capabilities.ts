import { ATTEMPTS, DELIVERY, ENFORCEMENT, MODEL, SESSIONS } from './files.ts';
import type { Mutant } from './mutant.ts';

const POLICIES: Mutant[] = [
  {
    name: 'policy-of-greater-priority-outdoes-a-denial',
    file: 'src/authorization/store.ts',
    text: "order by effect = 'deny' desc, priority desc,",
    replacement: 'order by priority desc,',
    killedBy: [MODEL],
  },
  {
    name: 'policy-of-least-priority-is-named',
    file: 'src/authorization/store.ts',
    text: "order by effect = 'deny' desc, priority desc,",
    replacement: "order by effect = 'deny' desc, priority,",
    killedBy: [MODEL],
  },
  {
    name: 'policy-permits-and-the-request-stays-open',
    file: 'src/authorization/store.ts',
    text: "case policy.effect when 'allow' then 'approved' else 'pending' end",
    replacement: "'pending'",
    killedBy: [MODEL, ENFORCEMENT],
  },
  {
    name: 'permission-matches-when-scopes-overlap',
    file: 'src/authorization/store.ts',
    text: 'asked.scopes <@ policies.scopes',
    replacement: 'asked.scopes && policies.scopes',
    killedBy: [MODEL],
  },
  {
    name: 'one-more-scope-defeats-a-prohibition',
    file: 'src/authorization/store.ts',
    text: 'asked.scopes && policies.scopes',
    replacement: 'asked.scopes <@ policies.scopes',
    killedBy: [MODEL, 'test/policies/decision.test.ts'],
  },
  {
    name: 'policy-of-a-removed-agent-is-about-all',
    file: 'src/db/migrations/0002_policies.sql',
    text: 'references agents (id) on delete cascade,',
    replacement: 'references agents (id) on delete set null,',
    killedBy: [MODEL],
  },
  {
    name: 'policy-may-name-a-foreign-agent',
    file: 'src/policies/store.ts',
    text: 'where agents.id = $agentId and agents.developer_id = $developerId',
    replacement: 'where agents.id = $agentId',
    killedBy: [MODEL, 'test/policies/routes.test.ts'],
  },
  {
    name: 'policy-change-clears-no-condition',
    file: 'src/policies/store.ts',
    text: "principal_id = case when 'principalId' = any($changed) then $principalId else principal_id end",
    replacement: 'principal_id = coalesce($principalId, principal_id)',
    killedBy: ['test/policies/routes.test.ts'],
  },
  {
    name: 'denials-are-counted-as-errors',
    file: 'src/telemetry/attempts.ts',
    text: "? 'denied' : 'error'",
    replacement: "? 'error' : 'error'",
    killedBy: [MODEL, ENFORCEMENT],
  },
];

const PRINCIPALS: Mutant[] = [
  {
    name: 'principals-revocation-is-told-as-the-developers',
    file: 'src/grants/grants-of-principal.ts',
    text: "revokedBy: 'principal'",
    replacement: "revokedBy: 'developer'",
    killedBy: [MODEL, SESSIONS],
  },
  {
    name: 'principal-revokes-for-another',
    file: 'src/grants/grants-of-principal.ts',
    text: 'if (grant?.principalId !== principalId) return',
    replacement: 'if (grant === undefined || principalId === "") return',
    killedBy: [MODEL, SESSIONS],
  },
  {
    name: 'principal-sees-the-grants-of-others',
    file: 'src/grants/store.ts',
    text: 'from grants where developer_id = $developerId and principal_id = $principalId\n      order',
    replacement:
      'from grants where developer_id = $developerId and $principalId::text is not null\n      order',
    killedBy: [MODEL, SESSIONS],
  },
];

const WEBHOOKS: Mutant[] = [
  {
    name: 'webhooks-hear-nothing-of-refreshed-tokens',
    file: 'src/tokens/refresh-store.ts',
    text: "from: 'answered join live using (ordinal) join agent using (ordinal) join asked using (ordinal) join token using (jti)'",
    replacement:
      "from: 'answered join live using (ordinal) join agent using (ordinal) join asked using (ordinal) join token using (jti) where false'",
    killedBy: [MODEL, DELIVERY],
  },
  {
    name: 'webhooks-hear-nothing-of-a-cascade',
    file: 'src/events/outbox-store.ts',
    text: `from \${revoked.from}),\n    \${ENQUEUED}\`;`,
    replacement: `from \${revoked.from} where parent_grant_id is null),\n    \${ENQUEUED}\`;`,
    killedBy: [MODEL, DELIVERY],
  },
  {
    name: 'webhooks-hear-of-delegations-as-consented',
    file: 'src/events/outbox-store.ts',
    text: 'case when parent_grant_id is null\n',
    replacement: 'case when true\n',
    killedBy: [MODEL, DELIVERY],
  },
  {
    name: 'webhooks-hear-of-other-developers',
    file: 'src/events/outbox-store.ts',
    text: 'where developer_id = facts.developer_id and',
    replacement: 'where',
    killedBy: [MODEL],
  },
  {
    name: 'webhooks-hear-what-they-did-not-ask-for',
    file: 'src/events/outbox-store.ts',
    text: 'and facts.type = any(events) for',
    replacement: 'for',
    killedBy: [MODEL, DELIVERY],
  },
  {
    name: 'webhooks-hear-the-repetition-as-another-event',
    file: 'src/webhooks/deliver.ts',
    text: 'const { url, eventId: id, eventType: type, createdAt, data } = delivery;',
    replacement:
      'const { url, eventType: type, createdAt, data } = delivery;\n  const id = delivery.eventId + delivery.attempts;',
    killedBy: [MODEL, ATTEMPTS],
  },
  {
    name: 'webhook-attempts-go-uncounted',
    file: 'src/telemetry/events.ts',
    text: '() => instruments.webhookAttempts.add(1, { outcome }),',
    replacement: '',
    killedBy: [MODEL, ATTEMPTS],
  },
  {
    name: 'webhook-failures-go-uncounted',
    file: 'src/telemetry/events.ts',
    text: 'if (ended) instruments',
    replacement: "if (ended === 'delivered') instruments",
    killedBy: [MODEL, ATTEMPTS],
  },
  {
    name: 'webhook-is-asked-again-after-gone',
    file: 'src/webhooks/deliver.ts',
    text: 'statusCode === GONE || ',
    replacement: '',
    killedBy: [MODEL, ATTEMPTS],
  },
  {
    name: 'webhook-goes-and-its-deliveries-are-forgotten',
    file: 'src/webhooks/store.ts',
    text: 'do update set total = removed_deliveries.total + excluded.total`',
    replacement: 'do update set total = excluded.total`',
    killedBy: [MODEL],
  },
];

/** Faults in policies, in what principals may do, and in what webhooks are told. */
export const CAPABILITIES: Mutant[] = [...POLICIES, ...PRINCIPALS, ...WEBHOOKS];

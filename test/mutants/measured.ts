import type { Mutant } from './mutant.ts';

const BATCH = 'test/db/batch.test.ts';
const AUTHORIZE = 'test/authorization/authorize.test.ts';
const SPANS = 'test/telemetry/spans-of-service.test.ts';
const HTTP = 'test/instrumentation/http.test.ts';
const SENDER = 'test/webhooks/send-message.test.ts';
const ERRORS = 'test/http/errors.test.ts';

/** Faults in what is measured, logged and traced: a label, a unit, a time, a line or a link that is wrong or missing. */
export const MEASURED: Mutant[] = [
  {
    name: 'grant-of-a-suspended-agent-is-alive',
    file: 'src/grants/verify-grant.ts',
    text: 'row.revoked || row.agentSuspended',
    replacement: 'row.revoked',
    killedBy: ['test/grants/routes.test.ts'],
  },
  {
    name: 'retired-key-goes-with-its-first-token',
    file: 'src/signing-keys/store.ts',
    text: 'select max(expires_at) from tokens',
    replacement: 'select min(expires_at) from tokens',
    killedBy: ['test/signing-keys/key-ring.test.ts'],
  },
  {
    name: 'idle-connections-are-told-as-used',
    file: 'src/telemetry/database.ts',
    text: "[labels('idle'), labels('used'), poolLabels(pool)]",
    replacement: "[labels('used'), labels('idle'), poolLabels(pool)]",
    killedBy: ['test/db/connections.test.ts', 'test/telemetry/database.test.ts'],
  },
  {
    name: 'pool-swaps-idle-and-used',
    file: 'src/db/pool.ts',
    text: `used: [...lent.keys()].filter(({ open }) => open).length,
      idle: idle.length,`,
    replacement: `idle: [...lent.keys()].filter(({ open }) => open).length,
      used: idle.length,`,
    killedBy: ['test/db/connections.test.ts'],
  },
  {
    name: 'refusal-of-a-suspended-agent-is-counted-for-other',
    file: 'src/authorization/request-authorization.ts',
    text: "return refuseFor('agent_suspended', notFound('Agent'), agentId);",
    replacement: "return refuseFor('agent_suspended', notFound('Agent'));",
    killedBy: [AUTHORIZE],
  },
  {
    name: 'delegation-took-no-time',
    file: 'src/grants/delegate-grant.ts',
    text: 'Math.round(performance.now() - begun)',
    replacement: 'Math.round(begun - begun)',
    killedBy: ['test/grants/delegation.test.ts'],
  },
  {
    name: 'delegation-is-timed-in-seconds',
    file: 'src/grants/delegate-grant.ts',
    text: 'Math.round(performance.now() - begun)',
    replacement: 'Math.round((performance.now() - begun) / 1000)',
    killedBy: ['test/grants/delegation.test.ts'],
  },
  {
    name: 'receivers-400-is-a-redirect',
    file: 'src/webhooks/send-message.ts',
    text: 'statusCode < 400 ?',
    replacement: 'statusCode <= 400 ?',
    killedBy: [SENDER],
  },
  {
    name: 'http-durations-in-milliseconds',
    file: 'instrumentation/http.ts',
    text: '(at - begun) / 1000',
    replacement: 'at - begun',
    killedBy: [HTTP],
  },
  {
    name: 'span-without-client-address',
    file: 'instrumentation/http.ts',
    text: "metadata.span.setAttribute('client.address', ip)",
    replacement: "metadata.span.setAttribute('client.port', 0)",
    killedBy: [SPANS],
  },
  {
    name: 'delivery-without-its-link',
    file: 'src/telemetry/span.ts',
    text: 'cause ? [{ context: cause }] : []',
    replacement: 'cause ? [] : []',
    killedBy: [SPANS],
  },
  {
    name: 'failed-exchange-is-counted-for-other',
    file: 'src/tokens/exchange-code.ts',
    text: 'return refuseFor(reasonOf(code, input.agentId), refusal(), agentId ?? undefined);',
    replacement: 'return refuseFor(reasonOf(code, input.agentId), refusal());',
    killedBy: ['test/tokens/exchange.test.ts'],
  },
  {
    name: 'a-503-leaves-no-line',
    file: 'src/http/error-handler.ts',
    text: 'status >= 500',
    replacement: 'status === 500',
    killedBy: [ERRORS],
  },
  {
    name: 'an-answer-without-a-tag-is-complete',
    file: 'src/db/connection.ts',
    text: 'if (!isComplete(result))',
    replacement: 'if (!isComplete(result) && result.length > 0)',
    killedBy: ['test/db/no-tag.test.ts'],
  },
  {
    name: 'four-batches-wait-at-once',
    file: 'src/db/batch-schedule.ts',
    text: 'const MAX_BATCHES_UNDER_WAY = 3;',
    replacement: 'const MAX_BATCHES_UNDER_WAY = 4;',
    killedBy: [BATCH],
  },
  {
    name: 'two-batches-wait-at-once',
    file: 'src/db/batch-schedule.ts',
    text: 'const MAX_BATCHES_UNDER_WAY = 3;',
    replacement: 'const MAX_BATCHES_UNDER_WAY = 2;',
    killedBy: [BATCH],
  },
  {
    name: 'refused-questions-are-asked-four-at-a-time',
    file: 'src/db/batch.ts',
    text: 'const ASKED_ALONE_AT_ONCE = 3;',
    replacement: 'const ASKED_ALONE_AT_ONCE = 4;',
    killedBy: [BATCH],
  },
  {
    name: 'exchange-took-no-time',
    file: 'src/tokens/exchange-code.ts',
    text: 'Math.round(performance.now() - begun)',
    replacement: 'Math.round(begun - begun)',
    killedBy: ['test/tokens/exchange.test.ts'],
  },
];

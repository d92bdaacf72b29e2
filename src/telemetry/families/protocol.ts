import { LIMITER_NAMES } from '../../config.ts';
import { DECISIONS, REFUSAL_REASONS, REQUEST_ENDS, type RefusableOperation } from '../../label-values.ts';
import { type Family, oneOf } from './family.ts';

const ATTEMPT_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** People take seconds or minutes, and a request waits ten. */
const WAIT_SECONDS = [1, 5, 10, 30, 60, 120, 300, 600];

const OPERATIONS = Object.keys(REFUSAL_REASONS) as RefusableOperation[];

/** What happens in the protocol: attempts, tokens, grants, decisions, refusals of the rate limits. */
export const PROTOCOL_FAMILIES = {
  tokenExchanges: {
    name: 'grantex_token_exchange_total',
    instrument: 'grantex.token_exchange',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Token exchange attempts that have ended, by outcome. 401 and 429 are not attempts.',
    labels: { status: oneOf('How the attempt ended.', ['success', 'error']) },
    exemplars: ['error'],
    perAgent: {
      name: 'grantex_agent_token_exchange_total',
      help: 'Token exchange attempts that have ended, by outcome and agent.',
    },
  },
  authorizations: {
    name: 'grantex_authorize_total',
    instrument: 'grantex.authorize',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Authorization requests that have ended, by outcome; denied is a refusal by policy. 401 and 429 are not attempts.',
    labels: { status: oneOf('How the attempt ended.', ['success', 'denied', 'error']) },
    exemplars: ['denied', 'error'],
    perAgent: {
      name: 'grantex_agent_authorize_total',
      help: 'Authorization requests that have ended, by outcome and agent.',
    },
  },
  authorizeDuration: {
    name: 'grantex_authorize_duration_seconds',
    instrument: 'grantex.authorize.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of every counted authorization request, failures too, in seconds.',
    labels: {},
    seeds: [{}],
    boundaries: ATTEMPT_SECONDS,
    exemplars: 'all',
    perAgent: {
      name: 'grantex_agent_authorize_duration_seconds',
      help: 'Duration of every counted authorization request, failures too, in seconds, by agent.',
    },
  },
  tokenExchangeDuration: {
    name: 'grantex_token_exchange_duration_seconds',
    instrument: 'grantex.token_exchange.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of every counted token exchange attempt, failures too, in seconds.',
    labels: {},
    seeds: [{}],
    boundaries: ATTEMPT_SECONDS,
    exemplars: 'all',
  },
  tokenRefreshes: {
    name: 'grantex_token_refresh_total',
    instrument: 'grantex.token_refresh',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Token refresh attempts that have ended, by outcome. 401 and 429 are not attempts.',
    labels: { status: oneOf('How the attempt ended.', ['success', 'error']) },
    exemplars: ['error'],
  },
  tokenVerifications: {
    name: 'grantex_token_verifications_total',
    instrument: 'grantex.token_verification',
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens verified online, by result.',
    labels: { result: oneOf('Whether the token was valid.', ['valid', 'invalid']) },
    exemplars: ['invalid'],
  },
  requestsRefused: {
    name: 'grantex_refusals_total',
    instrument: 'grantex.refusals',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests that were refused or failed, by operation and reason. 401 and 429 have families of their own.',
    note: 'The log line and the span of the request have the same word.',
    labels: {
      operation: oneOf('What was asked for.', OPERATIONS),
      reason: oneOf('Why it was refused.', [...new Set(Object.values(REFUSAL_REASONS).flat())]),
    },
    seeds: OPERATIONS.flatMap((operation) =>
      REFUSAL_REASONS[operation].map((reason) => ({ operation, reason })),
    ),
    exemplars: 'all',
  },
  grantsCreated: {
    name: 'grantex_grants_created_total',
    instrument: 'grantex.grants.created',
    kind: 'counter',
    unit: '{grant}',
    help: 'Grants created, by origin.',
    labels: { origin: oneOf('What made the grant.', ['consent', 'delegation']) },
    perAgent: {
      name: 'grantex_agent_grants_created_total',
      help: 'Grants created, by origin and by the agent that may act by them.',
    },
  },
  grantsRevoked: {
    name: 'grantex_grants_revoked_total',
    instrument: 'grantex.grants.revoked',
    kind: 'counter',
    unit: '{grant}',
    help: 'Grants that went from active to revoked, cascades included.',
    labels: {},
    perAgent: {
      name: 'grantex_agent_grants_revoked_total',
      help: 'Grants that went from active to revoked, cascades included, by agent.',
    },
  },
  agentInfo: {
    name: 'grantex_agent_info',
    instrument: 'grantex.agent.info',
    kind: 'observableGauge',
    unit: '{agent}',
    help: 'Agents that have series of their own, with their names; always 1. Every replica reports the same series.',
    note: 'Only with `METRICS_AGENT_NAMES=true`. Names are cut after 100 characters. Join it with `group_left` on a `max by`, because each replica has it.',
    labels: {
      agent_id: { text: 'Agent, or `other` beyond METRICS_AGENT_LIMIT.' },
      agent_name: { text: 'Present name of the agent.' },
      developer_id: { text: 'Developer of the agent.' },
    },
  },
  activeGrants: {
    name: 'grantex_active_grants',
    instrument: 'grantex.grants.active',
    kind: 'observableGauge',
    unit: '{grant}',
    help: 'Grants that are active and not expired, in the whole database; every replica reports the same value.',
    labels: {},
  },
  removalPending: {
    name: 'grantex_grants_removal_pending',
    instrument: 'grantex.grants.removal_pending',
    kind: 'observableGauge',
    unit: '{grant}',
    help: 'Grants that are dead by a removal and whose rows the background has not reached; every replica reports the same value.',
    labels: {},
  },
  consentDecisions: {
    name: 'grantex_consent_decisions_total',
    instrument: 'grantex.consent.decisions',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions of principals on consent requests.',
    labels: { decision: oneOf('What the principal decided.', DECISIONS) },
  },
  requestsEnded: {
    name: 'grantex_authorization_requests_ended_total',
    instrument: 'grantex.authorization_requests.ended',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests for authorization that have ended, by end. With those still open they add up to all that were made.',
    note: '`expired_undecided`: nobody decided; `expired_unused`: nobody exchanged the code. These two are counted up to two minutes later. A request that goes with its agent has no end.',
    labels: { end: oneOf('How the request ended.', REQUEST_ENDS) },
  },
  consentWait: {
    name: 'grantex_consent_wait_seconds',
    instrument: 'grantex.consent.wait',
    kind: 'histogram',
    unit: 's',
    help: 'Time from a request for authorization to its decision, in seconds, by decision.',
    labels: { decision: oneOf('What the principal decided.', DECISIONS) },
    seeds: DECISIONS.map((decision) => ({ decision })),
    boundaries: WAIT_SECONDS,
  },
  rateLimited: {
    name: 'grantex_rate_limited_total',
    instrument: 'grantex.rate_limited',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests refused with 429, by limiter.',
    labels: { endpoint: oneOf('Name of the rate limiter.', LIMITER_NAMES) },
    exemplars: 'all',
  },
} as const satisfies Record<string, Family>;

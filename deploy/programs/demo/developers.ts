import type { Caller } from './caller.ts';
import type { Receiver, Receivers } from './receivers.ts';

export interface Agent {
  readonly id: string;
  /** The scopes that it is registered for and requests. */
  readonly scopes: readonly string[];
}

export interface Webhook {
  readonly id: string;
  readonly receiver: Receiver;
}

export interface Developer {
  readonly key: string;
  readonly name: string;
  readonly mode: 'live' | 'sandbox';
  readonly agents: readonly Agent[];
  /** An agent without registered scopes. The other agents delegate to it. */
  readonly helper: Agent;
  readonly principals: readonly string[];
  readonly webhooks: Webhook[];
  /** The developer's totals before the demo. */
  readonly totalsBefore: Totals;
}

/** Totals over a developer's whole history, as the service reports them. */
export interface Totals {
  readonly active: number;
  readonly revoked: number;
  readonly anomalies: number;
  readonly unacknowledged: number;
  /** Anomalies by type, of the newest thousand. */
  readonly byType: Readonly<Record<string, number>>;
}

/** The demo cannot go on. The message is for the person who started it. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
}

const DEVELOPERS = [
  { name: 'Acme Travel', mode: 'live' },
  { name: 'Harbour Payments', mode: 'live' },
  { name: 'Paper Trail Research', mode: 'sandbox' },
  { name: 'Green Office', mode: 'sandbox' },
] as const;
const AGENTS = [
  { name: 'Trip planner', scopes: ['calendar:read', 'email:send'] },
  { name: 'Inbox sorter', scopes: ['email:read', 'email:archive'] },
  { name: 'Expense clerk', scopes: ['files:read', 'payments:initiate:max_100'] },
];
/** A policy of each live developer denies every request that holds this scope. */
export const FORBIDDEN_SCOPE = 'payments:initiate:max_100';
/** A policy of each live developer allows every request for this principal. */
export const ALLOWED_PRINCIPAL = 'user_regular';
const PRINCIPALS = 12;
const EVENTS = ['grant.created', 'grant.revoked', 'token.issued'];
/** The receivers of each developer with their events. The failing ones get few events, as in practice. */
const WEBHOOKS: readonly (readonly [Receiver, readonly string[]])[][] = [
  [
    ['good', EVENTS],
    ['flaky', ['grant.created']],
  ],
  [
    ['slow', EVENTS],
    ['gone', ['grant.revoked']],
  ],
  [
    ['good', EVENTS],
    ['broken', ['grant.revoked']],
  ],
  [
    ['good', EVENTS],
    ['moved', ['grant.revoked']],
    ['closed', ['grant.revoked']],
  ],
];

/** Signs up developers, or uses those of `keys`, and gives them agents, policies and webhooks. */
export async function createDevelopers(
  caller: Caller,
  receivers: Receivers,
  { keys, warn }: { keys: readonly string[]; warn: (text: string) => void },
): Promise<Developer[]> {
  const accounts = await (keys.length > 0
    ? Promise.all(keys.map((key) => accountOf(caller, key)))
    : signUp(caller));
  const developers: Developer[] = [];
  for (const [index, { key, name, mode }] of accounts.entries()) {
    const totalsBefore = await totalsOf(caller, key);
    const agents: Agent[] = [];
    for (const agent of AGENTS) agents.push(await register(caller, key, agent.name, agent.scopes));
    const helper = await register(caller, key, 'Helper', []);
    if (mode === 'live') await addPolicies(caller, key);
    const principals = Array.from({ length: PRINCIPALS }, (_, number) => `user_${number + 1}`);
    const developer = { key, name, mode, agents, helper, principals, webhooks: [], totalsBefore };
    developers.push(developer);
    await addWebhooks(caller, developer, receivers, WEBHOOKS[index % WEBHOOKS.length] ?? [], warn);
  }
  return developers;
}

interface Account {
  readonly key: string;
  readonly name: string;
  readonly mode: 'live' | 'sandbox';
}

async function signUp(caller: Caller): Promise<Account[]> {
  const accounts: Account[] = [];
  for (const { name, mode } of DEVELOPERS) {
    const { status, body } = await caller.post('signup', '/v1/signup', undefined, { name, mode });
    if (status === 0)
      throw new DemoError('no service answers there: start it with `npm start`, or name it with --url');
    if (status === 429)
      throw new DemoError(
        `signup is refused: ${body.message}. Pass --keys with the API keys of earlier developers, or start the service with RATE_LIMITS=signup=1000/3600`,
      );
    if (status === 404)
      throw new DemoError(
        'signup is off (SIGNUP_ENABLED=false): pass --keys with API keys of live and sandbox developers',
      );
    if (status !== 201) throw new DemoError(`signup: ${status} ${JSON.stringify(body)}`);
    accounts.push({ key: body.apiKey, name, mode });
  }
  return accounts;
}

async function accountOf(caller: Caller, key: string): Promise<Account> {
  const { status, body } = await caller.send('look', '/v1/me', { key });
  if (status === 0)
    throw new DemoError('no service answers there: start it with `npm start`, or name it with --url');
  if (status !== 200)
    throw new DemoError(`an API key of --keys is not accepted: ${status} ${body.message ?? ''}`);
  return { key, name: body.name, mode: body.mode };
}

/** Registers an agent. @throws {DemoError} when the service refuses, because the demo cannot do without agents */
export async function register(
  caller: Caller,
  key: string,
  name: string,
  scopes: readonly string[],
): Promise<Agent> {
  const { status, body } = await caller.post('agent', '/v1/agents', key, { name, scopes });
  if (status !== 201) throw new DemoError(`a new agent: ${status} ${body.message ?? ''}`);
  return { id: body.agentId, scopes };
}

async function addPolicies(caller: Caller, key: string): Promise<void> {
  const policies = [
    { name: 'Regulars need not be asked', effect: 'allow', principalId: ALLOWED_PRINCIPAL },
    { name: 'No payments on their own', effect: 'deny', scopes: [FORBIDDEN_SCOPE], priority: 10 },
  ];
  for (const policy of policies) await caller.post('policy', '/v1/policies', key, policy);
}

async function addWebhooks(
  caller: Caller,
  { key, webhooks, name }: Developer,
  receivers: Receivers,
  wanted: readonly (readonly [Receiver, readonly string[]])[],
  warn: (text: string) => void,
): Promise<void> {
  for (const [receiver, events] of wanted) {
    const hook = { url: receivers.urlOf(receiver), events };
    const { status, body } = await caller.post('webhook', '/v1/webhooks', key, hook);
    if (status === 201) webhooks.push({ id: body.id, receiver });
    else
      warn(
        `${name}: the webhook to ${hook.url} is refused (${status} ${body.message ?? ''}). ` +
          'The receivers of the demo are on a private address: start the service with ALLOW_PRIVATE_WEBHOOK_HOSTS=true to see deliveries.',
      );
  }
}

/** A developer's totals, read with its own API key. */
export async function totalsOf(caller: Caller, key: string): Promise<Totals> {
  const total = async (path: string): Promise<number> =>
    (await caller.send('look', path, { key })).body.total ?? 0;
  const listed = (await caller.send('look', '/v1/anomalies', { key })).body;
  const byType: Record<string, number> = {};
  for (const { type } of listed.anomalies ?? []) byType[type] = (byType[type] ?? 0) + 1;
  return {
    active: await total('/v1/grants?status=active&pageSize=1'),
    revoked: await total('/v1/grants?status=revoked&pageSize=1'),
    anomalies: listed.total ?? 0,
    unacknowledged: await total('/v1/anomalies?unacknowledged=true'),
    byType,
  };
}

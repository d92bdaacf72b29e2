import { createHash, randomBytes } from 'node:crypto';
import type postgres from 'postgres';
import { ApiDocument, type Operation } from '../contract/document.ts';
import { outgoing } from '../contract/mutate.ts';
import { createSender, type Outgoing } from '../contract/send.ts';
import { createWorld, type Sample, sampleFor, type World } from '../contract/world.ts';
import type { Answer, TestService } from '../support/service.ts';

/** A text that stands in one place of one request, and nowhere else. */
export interface Mark {
  readonly text: string;
  /** `METHOD template`, and what of the request: `POST /v1/agents body.name`. */
  readonly place: string;
}

/** What was sent and what was given out. */
export interface Canaries {
  readonly marks: readonly Mark[];
  /** Each secret that the service gave out or was shown, with the name of what it is. */
  readonly secrets: ReadonlyMap<string, string>;
}

/** Headers that carry a mark each. Others have a form that a mark does not have. */
const HEADERS = [
  ...['cookie', 'referer', 'user-agent', 'origin', 'x-api-key', 'x-request-id', 'forwarded'],
  ...[
    'x-forwarded-for',
    'x-forwarded-host',
    'idempotency-key',
    'if-none-match',
    'accept',
    'tracestate',
    'baggage',
  ],
];
/** Members of answers that are secrets, wherever they stand. */
const SECRET_MEMBERS = ['apiKey', 'code', 'grantToken', 'refreshToken', 'sessionToken', 'secret'];

/**
 * Sends requests to every operation with marks in every member of the body, every parameter, the path and headers, and a flow that
 * succeeds, with PKCE. `hook` is a receiver of webhooks.
 */
export async function sendCanaries(service: TestService, hook: string): Promise<Canaries> {
  const marks: Mark[] = [];
  const secrets = new Map<string, string>();
  const mark = (place: string) => {
    const text = `canary${randomBytes(10).toString('hex')}`;
    marks.push({ text, place });
    return text;
  };
  const recorded: TestService = {
    ...service,
    async request(method, path, options) {
      const answer = await service.request(method, path, options);
      keepSecrets(answer, secrets);
      return answer;
    },
    async signup(input) {
      const made = await service.signup(input);
      secrets.set(made.apiKey, 'apiKey');
      return made;
    },
  };
  const world = await createWorld(recorded);
  await ordinaryFlow(recorded, world, hook, { mark, secrets });
  const document = new ApiDocument((await service.request('GET', '/openapi.json')).body);
  const sender = createSender(service.url, 4);
  try {
    for (const operation of document.operations) {
      const requests = await markedRequests(world, operation, (where) => mark(`${operation.name} ${where}`));
      for (const answer of await Promise.all(requests.map((request) => sender.send(request))))
        keepSecrets(answer, secrets);
    }
  } finally {
    sender.close();
  }
  return { marks, secrets };
}

function keepSecrets({ status, body }: Answer, secrets: Map<string, string>): void {
  if (status >= 300) return;
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value))
      if (SECRET_MEMBERS.includes(name) && typeof member === 'string') {
        secrets.set(member, name);
        // The signature alone makes a token of claims that anybody may know.
        if (name === 'grantToken' || name === 'sessionToken')
          secrets.set(member.split('.')[2] ?? '', `signature of ${name}`);
      } else visit(member);
  };
  visit(body);
}

/** Authorization to revocation, with PKCE, marks in all that is stored, and a webhook that is delivered. */
async function ordinaryFlow(
  service: TestService,
  { party }: World,
  hook: string,
  { mark, secrets }: { mark: (place: string) => string; secrets: Map<string, string> },
): Promise<void> {
  const call = (path: string, body: Record<string, unknown>, headers: Record<string, string> = {}) =>
    service.request('POST', path, { key: party.key, body, headers });
  const url = `${hook}?token=${mark('flow: query of the webhook')}`;
  await call('/v1/webhooks', { url, events: ['grant.created', 'grant.revoked', 'token.issued'] });
  const codeVerifier = randomBytes(32).toString('base64url');
  secrets.set(codeVerifier, 'codeVerifier');
  const code = await party.consent({
    principalId: mark('flow: principalId'),
    scopes: [mark('flow: scopes')],
    audience: mark('flow: audience'),
    state: mark('flow: state'),
    redirectUri: `https://app.example.com/back?x=${mark('flow: query of redirectUri')}`,
    codeChallenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    codeChallengeMethod: 'S256',
  });
  const { agentId } = party;
  const { grantToken, refreshToken, grantId } = (await call('/v1/token', { code, agentId, codeVerifier }))
    .body;
  const retry = { 'idempotency-key': mark('flow: idempotency-key') };
  for (let time = 0; time < 2; time++) await call('/v1/token/refresh', { refreshToken, agentId }, retry);
  await call('/v1/tokens/verify', { token: grantToken });
  await call('/v1/audit/log', { agentId, grantId, action: mark('flow: action') });
  await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  // Reuse, which revokes and is logged, and the replay of a code.
  await call('/v1/token/refresh', { refreshToken, agentId });
  await call('/v1/token', { code, agentId, codeVerifier });
}

/** One request for each place of an operation. Each starts from a valid one of its own. */
async function markedRequests(
  world: World,
  operation: Operation,
  mark: (where: string) => string,
): Promise<Outgoing[]> {
  const fresh = () => sampleFor(world, operation);
  const first = await fresh();
  const variants: Sample[] = [];
  for (const name of Object.keys(first.body ?? {})) {
    const sample = await fresh();
    const value = marked(sample.body?.[name], mark(`body.${name}`));
    variants.push({ ...sample, body: { ...sample.body, [name]: value } });
  }
  variants.push({ ...(await fresh()), body: { ...first.body, unknownMember: mark('body of no member') } });
  const names = operation.parameters.filter((one) => one.in === 'query').map(({ name }) => name);
  const query = Object.fromEntries([...names, 'unknown'].map((name) => [name, mark(`query.${name}`)]));
  variants.push({ ...(await fresh()), query });
  if (first.id !== undefined) variants.push({ ...(await fresh()), id: mark('path.id') });
  const headers = Object.fromEntries(HEADERS.map((name) => [name, mark(`header ${name}`)]));
  variants.push({ ...(await fresh()), headers });
  variants.push({ ...(await fresh()), headers: { authorization: `Bearer ${mark('header authorization')}` } });
  return variants.map((sample) => {
    const request = outgoing(operation, sample);
    const { authorization } = sample.headers ?? {};
    return authorization === undefined
      ? request
      : { ...request, headers: { ...request.headers, authorization } };
  });
}

/** A value of the same kind, with the mark in it. */
function marked(value: unknown, text: string): unknown {
  if (Array.isArray(value)) return [text];
  if (typeof value === 'object' && value !== null) return { ...value, note: text };
  if (typeof value === 'string' && value.startsWith('https://')) return `${value}/${text}`;
  return text;
}

/** The text of every row of every table, with the name of the table: what a dump has. */
export async function dump(sql: postgres.Sql): Promise<{ table: string; text: string }[]> {
  const tables = await sql<{ table: string }[]>`
    select format('%I.%I', table_schema, table_name) as table from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1`;
  return Promise.all(
    tables.map(async ({ table }) => {
      const rows = await sql.unsafe<{ row: string }[]>(`select t::text as row from ${table} t`);
      return { table, text: rows.map(({ row }) => row).join('\n') };
    }),
  );
}

/** The places whose marks are in `text`, sorted, each once. A header is named without the operation that it came with. */
export function placesIn({ marks }: Canaries, text: string): string[] {
  const places = new Map(marks.map((one) => [one.text, one.place.replace(/^.* (?=header )/, '')]));
  const found = Array.from(
    text.matchAll(/canary[0-9a-f]{20}/g),
    ([mark]) => places.get(mark) ?? `unknown ${mark}`,
  );
  return [...new Set(found)].sort();
}

/** The names of secrets that are in `text`, each once. */
export const secretsIn = ({ secrets }: Canaries, text: string): string[] => [
  ...new Set([...secrets].filter(([secret]) => text.includes(secret)).map(([, name]) => name)),
];

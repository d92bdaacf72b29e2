import type { IncomingMessage } from 'node:http';
import type { Request as ExpressRequest, RequestHandler, Response } from 'express';
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import type { LimiterName } from '../config.ts';
import type { Developer } from '../developers/store.ts';
import { notFound } from '../errors.ts';
import type { Principal } from '../principal-sessions/session-token.ts';
import { requestScope } from '../request-scope.ts';
import type { AttemptKind, Attempts } from '../telemetry/attempts.ts';
import type { Events } from '../telemetry/events.ts';
import { type Bearer, bearerOf } from './bearer.ts';
import type { ReadBody } from './body.ts';
import { callerOf } from './caller.ts';
import { withDeadline } from './deadline.ts';
import { headersOf } from './headers.ts';
import { toPublicError } from './public-error.ts';
import { type Limiter, rateLimited } from './rate-limit.ts';
import { type RefusalPage, type Reply, send } from './reply.ts';
import type { UnderWay } from './under-way.ts';
import { compileValidator, type Validator } from './validate.ts';

/**
 * Who may call:
 * - `public`: anyone; an Authorization header is ignored;
 * - `developer`: the API key is looked up before the handler runs;
 * - `joined`: the handler's own statement looks the key up (one round trip), and the handler throws UNAUTHORIZED;
 * - `principal`: the session token of a principal is read before the handler runs. It is no API key, nor the reverse.
 */
export type Access = 'public' | 'developer' | 'joined' | 'principal';

type AccessInput<A extends Access> = A extends 'developer'
  ? { readonly developer: Developer; readonly keyHash: Buffer }
  : A extends 'joined'
    ? { readonly keyHash: Buffer }
    : A extends 'principal'
      ? { readonly principal: Principal }
      : unknown;

/** What a request says, whoever it is from. */
interface Parts<B, Q> {
  readonly params: Readonly<Record<string, string>>;
  readonly body: B;
  readonly query: Q;
  /** A header of the request, by its lower-case name. */
  header(name: string): string | undefined;
}

/** A request, parsed once: handlers never see the raw one. */
export type Input<A extends Access, B, Q> = AccessInput<A> &
  Parts<B, Q> & {
    /** To be called when the agent that the request names is known to be the caller's: the attempt is then counted for it. */
    agentIs(agentId: string): void;
  };

export interface Endpoint<
  A extends Access = Access,
  B extends TSchema = TSchema,
  Q extends TSchema = TSchema,
> {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** Express's template; also the `route` label and the name of the server span. */
  readonly path: string;
  readonly summary: string;
  readonly access: A;
  readonly limit: LimiterName | null;
  /** The family of attempts that a request to this endpoint counts in. */
  readonly attempt?: AttemptKind;
  /** A request that changes nothing may be answered 503, which invites a repetition. GETs are taken for such. */
  readonly readOnly?: boolean;
  readonly body?: B;
  readonly query?: Q;
  /** How a person is told of a refusal, where the answer is a page. */
  readonly refusalPage?: RefusalPage;
  /** Schemas of the successful answers by status, for /openapi.json; null: no body. */
  readonly responses: Readonly<Record<number, TSchema | null>>;
  /**
   * What the schemas cannot say. It stands apart from `handle` because a wrong key is told before a wrong request.
   * @throws BAD_REQUEST
   */
  check?(parts: Parts<Static<B>, Static<Q>>): void;
  handle(input: Input<A, Static<B>, Static<Q>>): Promise<Reply>;
}

/** Declares an endpoint; exists so that the handler's input is typed by the schemas beside it. */
export function endpoint<A extends Access, B extends TSchema = TObject, Q extends TSchema = TObject>(
  definition: Endpoint<A, B, Q>,
): Endpoint {
  return definition as unknown as Endpoint;
}

/** Tells the HTTP instrumentation which template a request matched, and who sent it. */
export type SetRoute = (template: string, from: { readonly ip?: string | undefined }) => void;

export interface ServeDeps {
  readonly attempts: Attempts;
  readonly events: Events;
  /** null: no limits and no rate-limit headers. */
  readonly limit: Limiter | null;
  readonly readBody: ReadBody;
  readonly setRoute: SetRoute;
  readonly underWay: UnderWay;
  /** @throws UNAUTHORIZED for an unknown key */
  readonly authenticate: (keyHash: Buffer) => Promise<Developer>;
  /** @throws UNAUTHORIZED for anything but a live session token */
  readonly readSession: (token: string) => Promise<Principal>;
}

const NOTHING = Type.Object({});

/**
 * The Express handler of an endpoint: limit → read → authenticate → handle → answer, the same for every route. What is
 * read comes at the caller's pace; what follows is an attempt, with a deadline.
 */
export function serve(definition: Endpoint, deps: ServeDeps): RequestHandler {
  const validateBody = compileValidator(definition.body ?? NOTHING, 'body');
  const validateQuery = compileValidator(definition.query ?? NOTHING, 'query');
  const readOnly = definition.readOnly ?? definition.method === 'get';
  const wanted = definition.access === 'principal' ? 'session token' : 'API key';

  return async (req, res) => {
    deps.setRoute(definition.path, req);
    res.locals['refusalPage'] = definition.refusalPage;
    const bearer = definition.access === 'public' ? null : bearerOf(req.headers.authorization, wanted);
    await limit(definition, deps, req, res, bearer);
    // What follows goes on when the caller leaves, and ends what it has begun.
    const ended = deps.underWay.begin();
    const parts = await parse(definition, deps, { req, validateBody, validateQuery }).catch(
      (error: unknown) => new Unreadable(error),
    );

    const end = definition.attempt ? deps.attempts.start(definition.attempt) : undefined;
    let agentId: string | undefined;
    const agentIs = (id: string) => {
      agentId = id;
    };
    try {
      const reply = await withDeadline(
        (assertInTime) => answer(definition, deps, { bearer, parts, agentIs, assertInTime }),
        readOnly,
      );
      end?.({ status: reply.status, agentId });
      send(req, res, reply);
    } catch (error) {
      const { status, code } = toPublicError(error);
      end?.({ status, code, agentId });
      throw error;
    } finally {
      ended();
    }
  };
}

async function limit(
  { limit: name }: Endpoint,
  { limit, events }: ServeDeps,
  req: ExpressRequest,
  res: Response,
  bearer: Bearer | null,
): Promise<void> {
  if (!limit || !name) return;
  const ip = req.ip ?? 'unknown';
  const retryAfter = await limit(
    name,
    bearer ? bearer.hash.toString('base64url') : callerOf(ip),
    headersOf(res),
  );
  if (retryAfter === null) return;
  events.rateLimitHit({ ip, endpoint: name, retryAfter });
  throw rateLimited(retryAfter);
}

/** A request whose parts could not be made out, and why. */
class Unreadable {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

interface Work {
  readonly bearer: Bearer | null;
  readonly parts: Parts<unknown, unknown> | Unreadable;
  agentIs(agentId: string): void;
  assertInTime(): void;
}

async function answer(
  { access, handle }: Endpoint,
  { authenticate, readSession }: ServeDeps,
  { bearer, parts, agentIs, assertInTime }: Work,
): Promise<Reply> {
  // A wrong key is told before a wrong body, also where the key is otherwise looked up with the work itself.
  const principal = bearer && access === 'principal' ? await readSession(bearer.token) : undefined;
  const lookUp = bearer && !principal && (access === 'developer' || parts instanceof Unreadable);
  const developer = lookUp ? await authenticate(bearer.hash) : undefined;
  const scope = requestScope();
  if (scope) scope.developerId = developer?.id ?? principal?.developerId ?? null;
  if (parts instanceof Unreadable) throw parts.error;
  // The caller has been told that it failed: then nothing may begin.
  assertInTime();
  return handle({ ...parts, developer, principal, keyHash: bearer?.hash, agentIs } as never);
}

interface Raw {
  readonly req: ExpressRequest;
  readonly validateBody: Validator<TSchema>;
  readonly validateQuery: Validator<TSchema>;
}

async function parse(
  { method, query, check }: Endpoint,
  { readBody }: ServeDeps,
  { req, validateBody, validateQuery }: Raw,
): Promise<Parts<unknown, unknown>> {
  const params = req.params as Record<string, string>;
  // No identifier holds NUL, and PostgreSQL takes none: such an id is an unknown one.
  for (const value of Object.values(params)) if (value.includes('\0')) throw notFound('Object');
  const parts = {
    params,
    query: query ? validateQuery(queryText(req)) : {},
    body: validateBody(method === 'get' || method === 'delete' ? {} : await readBody(req)),
    header: (name: string) => headerText(req, name),
  };
  check?.(parts as never);
  return parts;
}

/** Query members as text. NUL, which no stored value holds, becomes a character that none holds either. */
function queryText(req: ExpressRequest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(req.query).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('\0', '\u{FFFF}') : value,
    ]),
  );
}

function headerText(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/**
 * HTTP: the one way of a request. A room declares an `endpoint`; `serve` limits, reads, authenticates, handles and answers.
 * Nothing here knows a room. `server.ts` is the listener, `error-handler.ts` the only place where an error becomes an answer,
 * `rate-limit.ts` and `redis*.ts` are the limits, `reply.ts` is what a handler answers with.
 */
import type { Request as ExpressRequest, RequestHandler, Response } from 'express';
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import type { Developer, KeyHolder, Principal } from '../caller.ts';
import type { LimiterName } from '../config.ts';
import { notFound, type ServiceError } from '../errors.ts';
import type { RefusableOperation } from '../label-values.ts';
import { done, isRefused, mapOutcome, type Outcome, type Refused, refuse } from '../outcome.ts';
import { requestScope } from '../request-scope.ts';
import type { AttemptKind, Attempts } from '../telemetry/attempts.ts';
import type { Events } from '../telemetry/events.ts';
import { type Bearer, bearerOf } from './bearer.ts';
import type { ReadBody } from './body.ts';
import { type CountDeps, countRequest } from './count-request.ts';
import { withDeadline } from './deadline.ts';
import { handOver } from './hand-over.ts';
import { clientKeyOf, oauthRefusal } from './oauth.ts';
import { toPublicError } from './public-error.ts';
import { rateLimitKeyOf } from './rate-limit-key.ts';
import { type RefusalPage, type Reply, send } from './reply.ts';
import { headerText, queryText } from './request-text.ts';
import type { Starts } from './starts.ts';
import { sendStream, signalOf } from './stream.ts';
import { tellRefusal } from './tell-refusal.ts';
import { holdTurn, type Turns } from './turns.ts';
import type { UnderWay } from './under-way.ts';
import { compileValidator, type Validator } from './validate.ts';

/**
 * Who may call:
 * - `public`: anyone; an Authorization header is ignored;
 * - `developer`: the API key is looked up before the handler runs;
 * - `joined`: the use case's own statement looks the key up (one round trip), and an unknown one is its refusal;
 * - `principal`: the session token of a principal is read before the handler runs. It is no API key, nor the reverse.
 */
export type Access = 'public' | 'developer' | 'joined' | 'principal';

interface Callers {
  readonly public: null;
  readonly developer: Developer & KeyHolder;
  readonly joined: KeyHolder;
  readonly principal: Principal;
}

/** The parts of a request that do not depend on its caller. */
interface Parts<B, Q> {
  readonly params: Readonly<Record<string, string>>;
  readonly body: B;
  readonly query: Q;
  /** A header of the request, by its lower-case name. */
  header(name: string): string | undefined;
}

/** A request, parsed once: handlers never see the raw one. */
export interface Input<A extends Access, B, Q> extends Parts<B, Q> {
  readonly caller: Callers[A];
  /** Where `long` is set: aborted when the caller has left. Elsewhere work is finished all the same. */
  readonly signal: AbortSignal | undefined;
}

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
  /** What its refusals are counted for. */
  readonly operation?: RefusableOperation;
  /** A request that changes nothing may be answered 503, which invites a repetition. GETs are taken for such. */
  readonly readOnly?: boolean;
  /**
   * A reading that may take as long as its caller waits. Each of its statements has a deadline, and it has none. It ends when
   * the caller leaves. A developer has few of them at once.
   */
  readonly long?: true;
  readonly body?: B;
  readonly query?: Q;
  /** The answer may be large. Each developer has a bounded number of such answers under way. */
  readonly large?: true;
  /** A standard endpoint: the body is a form, the key may be a Basic password, refusals have the form of RFC 6749 §5.2. */
  readonly oauth?: true;
  /** The answer is a `text/event-stream`. */
  readonly eventStream?: true;
  /** The page that shows a refusal to a person, where the answer is a page. */
  readonly refusalPage?: RefusalPage;
  /** Schemas of the successful answers by status, for /openapi.json; null: no body. */
  readonly responses: Readonly<Record<number, TSchema | null>>;
  /**
   * What the schemas cannot say: the refusal of a request that is not valid, or null. It stands apart from `handle`
   * because a caller learns of a wrong key before a wrong request.
   */
  check?(parts: Parts<Static<B>, Static<Q>>): ServiceError | null;
  handle(input: Input<A, Static<B>, Static<Q>>): Promise<Outcome<Reply>>;
}

/** Declares an endpoint; exists so that the handler's input is typed by the schemas beside it. */
export function endpoint<A extends Access, B extends TSchema = TObject, Q extends TSchema = TObject>(
  definition: Endpoint<A, B, Q>,
): Endpoint {
  return definition as unknown as Endpoint;
}

/** Tells the HTTP instrumentation which template a request matched, and who sent it. */
export type SetRoute = (
  template: string,
  from: { readonly ip?: string | undefined; readonly protocol?: string | undefined },
) => void;

export interface ServeDeps extends CountDeps {
  readonly attempts: Attempts;
  readonly events: Events;
  readonly readBody: ReadBody;
  readonly readForm: ReadBody;
  readonly setRoute: SetRoute;
  /** Ends the duration of the active request; unless its answer is still to come (`waits`), it was answered with 200. */
  readonly endMeasurement: (waits: boolean) => void;
  readonly underWay: UnderWay;
  readonly starts: Starts;
  /** For endpoints whose answers may be large, and for those that may take long. */
  readonly turns: Turns;
  readonly longTurns: Turns;
  /** UNAUTHORIZED for an unknown key. */
  readonly authenticate: (caller: KeyHolder) => Promise<Outcome<Developer>>;
  /** The API key has let a request in. */
  readonly keyUsed: (keyHash: Buffer) => void;
  /** UNAUTHORIZED for anything but a live session token. */
  readonly readSession: (token: string) => Promise<Outcome<Principal>>;
}

const NOTHING = Type.Object({});

/** The developer of the key, or the address when the key is not known. */
const requesterOf = ({ knownKeys }: ServeDeps, { ip = 'unknown' }: ExpressRequest, bearer: Bearer | null) =>
  (bearer && knownKeys.developerOf(bearer)) ?? rateLimitKeyOf(ip);

/**
 * The Express handler of an endpoint: start → limit → read → authenticate → handle → answer, the same for every route. The caller
 * decides how long reading takes. The steps after it are an attempt, with a deadline.
 */
export function serve(definition: Endpoint, deps: ServeDeps): RequestHandler {
  const validateBody = compileValidator(definition.body ?? NOTHING, 'body');
  const validateQuery = compileValidator(definition.query ?? NOTHING, 'query');
  const readOnly = definition.readOnly ?? definition.method === 'get';
  const credentialOf = definition.oauth ? clientKeyOf : bearerOf;
  const wanted = definition.access === 'principal' ? 'session_token' : 'api_key';

  return async (req, res) => {
    deps.setRoute(definition.path, req);
    res.locals['refusalPage'] = definition.oauth ? oauthRefusal : definition.refusalPage;
    const bearer = definition.access === 'public' ? null : credentialOf(req, wanted);
    if (definition.limit) await deps.starts.begin(requesterOf(deps, req, bearer));
    const session = definition.access === 'principal' && bearer ? await deps.readSession(bearer.token) : null;
    const countNewKey = await countRequest(definition.limit, deps, { req, res, bearer, session });
    // From here on the work is finished even when the caller disconnects.
    const finish = deps.underWay.begin();
    const parts = await parse(definition, deps, { req, validateBody, validateQuery }).catch(refusalOf);

    const endAttempt = definition.attempt ? deps.attempts.start(definition.attempt) : undefined;
    let reply: Reply;
    try {
      const work = { req, res, bearer, session, countNewKey, parts };
      const outcome = await (definition.long
        ? answer(definition, deps, { ...work, assertInTime: () => undefined })
        : withDeadline((assertInTime) => answer(definition, deps, { ...work, assertInTime }), readOnly)
      ).catch(refusalOf);
      const { agentId } = outcome;
      tellRefusal(definition.operation, outcome, deps.events);
      if (isRefused(outcome)) {
        const { status, code } = outcome.refusal;
        endAttempt?.({ status, code, agentId });
        throw outcome.refusal;
      }
      reply = outcome.value;
      endAttempt?.({ status: reply.status, agentId });
      if (reply.parts) await sendStream(req, res, reply.parts, deps.events);
      else if (!reply.takeOver) send(req, res, reply);
    } finally {
      finish();
    }
    if (reply.takeOver) await handOver(reply, { req, res, endMeasurement: deps.endMeasurement });
  };
}

/** A failure as the caller may see it. The cause goes to the log. */
const refusalOf = (error: unknown): Refused => refuse(toPublicError(error));

interface Work {
  readonly req: ExpressRequest;
  readonly res: Response;
  readonly bearer: Bearer | null;
  /** Of a principal: what its session token says. */
  readonly session: Outcome<Principal> | null;
  /** Of a key that this process does not know yet. */
  readonly countNewKey: ((developerId: string) => Promise<void>) | null;
  readonly parts: Outcome<Parts<unknown, unknown>>;
  assertInTime(): void;
}

async function answer(
  definition: Endpoint,
  deps: ServeDeps,
  { req, res, bearer, session, countNewKey, parts, assertInTime }: Work,
): Promise<Outcome<Reply>> {
  const { access, handle, long, large } = definition;
  // A wrong key is reported before a wrong body, even where the use case usually looks the key up.
  const lookUp = access === 'developer' || isRefused(parts) || countNewKey !== null;
  const caller = session ? ofPrincipal(session) : await identify(deps, bearer, lookUp, countNewKey);
  if (isRefused(caller)) return caller;
  if (isRefused(parts)) return parts;
  if (large || long)
    await holdTurn(long ? deps.longTurns : deps.turns, res, (retryAfter) => {
      if (definition.limit)
        deps.events.rateLimitHit({ ip: req.ip ?? 'unknown', endpoint: definition.limit, retryAfter });
    });
  // The caller may already have the answer that the request failed. Then no work may begin.
  assertInTime();
  const outcome = await handle({
    ...parts.value,
    caller: caller.value,
    signal: long && signalOf(res),
  } as never);
  if (!bearer || session) return outcome;
  const keyRefused = isRefused(outcome) && outcome.refusal.code === 'UNAUTHORIZED';
  if (!keyRefused) deps.keyUsed(bearer.hash);
  // A statement that looks the key up with its work does not say what is wrong with it.
  const why = keyRefused && !lookUp ? await deps.authenticate({ keyHash: bearer.hash }) : outcome;
  return isRefused(why) ? why : outcome;
}

/** Identifies the caller by its key. All work of the request counts for that developer from here on. */
async function identify(
  { authenticate }: ServeDeps,
  bearer: Bearer | null,
  lookUp: boolean,
  countNewKey: Work['countNewKey'],
): Promise<Outcome<Callers[Access]>> {
  if (!bearer) return done(null);
  const key = { keyHash: bearer.hash };
  if (!lookUp) return done(key);
  const developer = await authenticate(key);
  if (isRefused(developer)) return developer;
  await countNewKey?.(developer.value.id);
  return done(workFor(developer.value.id, { ...developer.value, ...key }));
}

const ofPrincipal = (session: Outcome<Principal>): Outcome<Principal> =>
  mapOutcome(session, (principal) => workFor(principal.developerId, principal));

function workFor<C>(developerId: string, caller: C): C {
  const scope = requestScope();
  if (scope) {
    scope.developerId = developerId;
    scope.callerId = developerId;
  }
  return caller;
}

interface Raw {
  readonly req: ExpressRequest;
  readonly validateBody: Validator<TSchema>;
  readonly validateQuery: Validator<TSchema>;
}

async function parse(
  { method, query, check, oauth }: Endpoint,
  { readBody, readForm }: ServeDeps,
  { req, validateBody, validateQuery }: Raw,
): Promise<Outcome<Parts<unknown, unknown>>> {
  const params = req.params as Record<string, string>;
  // No identifier holds NUL, and PostgreSQL takes none: such an id is an unknown one.
  for (const value of Object.values(params)) if (value.includes('\0')) return refuse(notFound('Object'));
  const parts = {
    params,
    query: query ? validateQuery(queryText(req)) : {},
    body: validateBody(
      method === 'get' || method === 'delete' ? {} : await (oauth ? readForm : readBody)(req),
    ),
    header: (name: string) => headerText(req, name),
  };
  const fault = check?.(parts as never);
  return fault ? refuse(fault) : done(parts);
}

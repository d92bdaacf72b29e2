import type { IncomingMessage } from 'node:http';
import type { Request as ExpressRequest, RequestHandler, Response } from 'express';
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import type { LimiterName } from '../config.ts';
import type { Developer } from '../developers/store.ts';
import { notFound } from '../errors.ts';
import type { AttemptKind, Attempts } from '../telemetry/attempts.ts';
import type { Events } from '../telemetry/events.ts';
import { bearerKeyHash } from './bearer.ts';
import type { ReadBody } from './body.ts';
import { withDeadline } from './deadline.ts';
import { headersOf } from './headers.ts';
import { toPublicError } from './public-error.ts';
import { type Limiter, rateLimited } from './rate-limit.ts';
import { type RefusalPage, type Reply, send } from './reply.ts';
import { compileValidator, type Validator } from './validate.ts';

/**
 * Who may call:
 * - `public`: anyone; an Authorization header is ignored;
 * - `developer`: the API key is looked up before the handler runs;
 * - `joined`: the handler's own statement looks the key up (one round trip), and the handler throws UNAUTHORIZED.
 */
export type Access = 'public' | 'developer' | 'joined';

type AccessInput<A extends Access> = A extends 'developer'
  ? { readonly developer: Developer; readonly keyHash: Buffer }
  : A extends 'joined'
    ? { readonly keyHash: Buffer }
    : unknown;

/** A request, parsed once: handlers never see the raw one. */
export type Input<A extends Access, B, Q> = AccessInput<A> & {
  readonly params: Readonly<Record<string, string>>;
  readonly body: B;
  readonly query: Q;
  /** A header of the request, by its lower-case name. */
  header(name: string): string | undefined;
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
  handle(input: Input<A, Static<B>, Static<Q>>): Promise<Reply>;
}

/** Declares an endpoint; exists so that the handler's input is typed by the schemas beside it. */
export function endpoint<A extends Access, B extends TSchema = TObject, Q extends TSchema = TObject>(
  definition: Endpoint<A, B, Q>,
): Endpoint {
  return definition as unknown as Endpoint;
}

export interface ServeDeps {
  readonly attempts: Attempts;
  readonly events: Events;
  /** null: no limits and no rate-limit headers. */
  readonly limit: Limiter | null;
  readonly readBody: ReadBody;
  /** Tells the HTTP instrumentation which template a request matched. */
  readonly setRoute: (template: string) => void;
  /** @throws UNAUTHORIZED for an unknown key */
  readonly authenticate: (keyHash: Buffer) => Promise<Developer>;
}

const NOTHING = Type.Object({});

/** The Express handler of an endpoint: limit → authenticate → parse → handle → answer, the same for every route. */
export function serve(definition: Endpoint, deps: ServeDeps): RequestHandler {
  const validateBody = compileValidator(definition.body ?? NOTHING, 'body');
  const validateQuery = compileValidator(definition.query ?? NOTHING, 'query');
  const readOnly = definition.readOnly ?? definition.method === 'get';

  return async (req, res) => {
    deps.setRoute(definition.path);
    res.locals['refusalPage'] = definition.refusalPage;
    const keyHash = definition.access === 'public' ? null : bearerKeyHash(req.headers.authorization);
    await limit(definition, deps, req, res, keyHash);

    const end = definition.attempt ? deps.attempts.start(definition.attempt) : undefined;
    let agentId: string | undefined;
    try {
      const reply = await withDeadline(
        answer(definition, deps, { req, res, keyHash, validateBody, validateQuery }, (id) => {
          agentId = id;
        }),
        readOnly,
      );
      end?.({ status: reply.status, agentId });
      send(req, res, reply);
    } catch (error) {
      const { status, code } = toPublicError(error);
      end?.({ status, code, agentId });
      throw error;
    }
  };
}

async function limit(
  { limit: name }: Endpoint,
  { limit, events }: ServeDeps,
  req: ExpressRequest,
  res: Response,
  keyHash: Buffer | null,
): Promise<void> {
  if (!limit || !name) return;
  const ip = req.ip ?? 'unknown';
  const retryAfter = await limit(name, keyHash ? keyHash.toString('base64url') : ip, headersOf(res));
  if (retryAfter === null) return;
  events.rateLimitHit({ ip, endpoint: name, retryAfter });
  throw rateLimited(retryAfter);
}

interface Raw {
  readonly req: ExpressRequest;
  readonly res: Response;
  readonly keyHash: Buffer | null;
  readonly validateBody: Validator<TSchema>;
  readonly validateQuery: Validator<TSchema>;
}

async function answer(
  definition: Endpoint,
  deps: ServeDeps,
  raw: Raw,
  agentIs: (agentId: string) => void,
): Promise<Reply> {
  const { req, keyHash } = raw;
  const developer =
    keyHash && definition.access === 'developer' ? await deps.authenticate(keyHash) : undefined;
  const parts = await parse(definition, deps, raw).catch(async (error: unknown) => {
    // A wrong key is told before a wrong body, also where the key would have been looked up with the work itself.
    if (keyHash && !developer) await deps.authenticate(keyHash);
    throw error;
  });
  return definition.handle({
    ...parts,
    developer,
    keyHash,
    header: (name: string) => headerText(req, name),
    agentIs,
  } as never);
}

async function parse(
  { method }: Endpoint,
  { readBody }: ServeDeps,
  { req, res, validateBody, validateQuery }: Raw,
) {
  const params = req.params as Record<string, string>;
  // No identifier holds NUL, and PostgreSQL takes none: such an id is an unknown one.
  for (const value of Object.values(params)) if (value.includes('\0')) throw notFound('Object');
  return {
    params,
    query: validateQuery(queryText(req)),
    body: validateBody(method === 'get' || method === 'delete' ? {} : await readBody(req, res)),
  };
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

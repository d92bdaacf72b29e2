import cors from 'cors';
import express, { type Express } from 'express';
import { agentRoutes } from './agents/routes.ts';
import { anomalyRoutes } from './anomalies/routes.ts';
import { auditRoutes } from './audit/routes.ts';
import { authorizationRoutes } from './authorization/routes.ts';
import type { KeyHolder } from './caller.ts';
import { complianceRoutes } from './compliance/routes.ts';
import { consentRoutes } from './consent/routes.ts';
import type { Deps } from './deps.ts';
import { authenticate } from './developers/authenticate.ts';
import { developerRoutes } from './developers/routes.ts';
import type { EventFollower } from './events/follow-events.ts';
import { eventRoutes } from './events/routes.ts';
import type { HeldConnections } from './feed/held-connections.ts';
import type { ReadGrantToken } from './grant-token/read-grant-token.ts';
import { grantRoutes } from './grants/routes.ts';
import { createBodyReader, createFormReader } from './http/body.ts';
import { type Endpoint, type SetRoute, serve } from './http/endpoint.ts';
import { errorHandler, unknownPath } from './http/error-handler.ts';
import { writeGathered } from './http/headers.ts';
import { createKnownKeys } from './http/known-keys.ts';
import type { Limiter } from './http/rate-limit.ts';
import { requestContext } from './http/request-context.ts';
import { serveAssets } from './http/serve-assets.ts';
import { createStarts } from './http/starts.ts';
import { createTurns } from './http/turns.ts';
import type { UnderWay } from './http/under-way.ts';
import { oauthRoutes } from './oauth/routes.ts';
import { findAsset } from './pages/assets.ts';
import { pageSecurity } from './pages/security-headers.ts';
import { policyRoutes } from './policies/routes.ts';
import { principalSessionRoutes } from './principal-sessions/routes.ts';
import type { SessionTokens } from './principal-sessions/session-token.ts';
import type { RevocationFollower } from './revocations/follow-feed.ts';
import { revocationRoutes } from './revocations/routes.ts';
import type { Sealer } from './secrets/sealing.ts';
import type { KeyRing } from './signing-keys/key-ring.ts';
import { signingKeyRoutes } from './signing-keys/routes.ts';
import type { Health } from './system/health.ts';
import { systemRoutes } from './system/routes.ts';
import { tokenRoutes } from './tokens/routes.ts';
import type { SuccessorOf } from './tokens/successor.ts';
import { webhookRoutes } from './webhooks/routes.ts';

/** Of one developer. A page has up to 2 MiB, and its text takes the event loop some 10 ms. */
const LARGE_ANSWERS = { atOnce: 4, waiting: 32 };
/** Of one developer, that may take minutes. */
const LONG_ANSWERS = { atOnce: 2, waiting: 0 };

/** What all use cases together ask for. */
export interface AppDeps extends Deps {
  readonly keys: KeyRing;
  readonly readGrantToken: ReadGrantToken;
  /** Encrypts secrets at rest. */
  readonly sealer: Sealer;
  readonly sessionTokens: SessionTokens;
  readonly successorOf: SuccessorOf;
  readonly revocations: RevocationFollower;
  readonly eventStream: EventFollower;
  readonly heldConnections: HeldConnections;
  /** Hears of each API key that lets a request in. */
  readonly keyUsed: (keyHash: Buffer) => void;
}

export interface AppOptions {
  readonly deps: AppDeps;
  readonly health: Health;
  /** null: no rate limits and no rate-limit headers. */
  readonly limit: Limiter | null;
  readonly setRoute: SetRoute;
  readonly endMeasurement: (waits: boolean) => void;
  readonly underWay: UnderWay;
}

/** Every endpoint of the service; the busiest come first, because Express tries them in this order. */
function allEndpoints(deps: AppDeps, health: Health): Endpoint[] {
  const endpoints: Endpoint[] = [
    ...tokenRoutes(deps),
    ...authorizationRoutes(deps),
    ...consentRoutes(deps),
    ...grantRoutes(deps),
    ...auditRoutes(deps),
    ...agentRoutes(deps),
    ...policyRoutes(deps),
    ...principalSessionRoutes(deps),
    ...webhookRoutes(deps),
    ...anomalyRoutes(deps),
    ...complianceRoutes(deps),
    ...developerRoutes(deps),
    ...revocationRoutes(deps),
    ...eventRoutes(deps),
    ...oauthRoutes(deps),
    ...signingKeyRoutes(deps),
    ...systemRoutes(health, () => endpoints),
  ];
  return endpoints;
}

/** The whole HTTP surface but `/metrics`, which belongs to the instrumentation. */
export function createApp({ deps, health, limit, setRoute, endMeasurement, underWay }: AppOptions): Express {
  const { config, telemetry } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', config.trustProxy);
  // A proxy's rule on a path must hold: no other spelling of the path may reach the same endpoint.
  app.set('case sensitive routing', true);
  app.set('strict routing', true);

  app.use(requestContext);
  if (config.corsOrigins.length > 0) {
    app.options('/{*path}', writeGathered);
    app.use(cors({ origin: [...config.corsOrigins], maxAge: 600 }));
  }
  app.use(['/consent', '/permissions', '/docs'], pageSecurity);
  app.get('/', pageSecurity);

  const serving = {
    attempts: telemetry.attempts,
    events: telemetry.events,
    limit,
    knownKeys: createKnownKeys(config.rateLimitMaxKeys),
    readBody: createBodyReader(config.bodyLimit),
    readForm: createFormReader(config.bodyLimit),
    setRoute,
    endMeasurement,
    underWay,
    starts: createStarts(),
    turns: createTurns(LARGE_ANSWERS),
    longTurns: createTurns(LONG_ANSWERS),
    authenticate: (caller: KeyHolder) => authenticate(deps, caller),
    keyUsed: deps.keyUsed,
    readSession: deps.sessionTokens.read,
  };
  for (const endpoint of allEndpoints(deps, health))
    app[endpoint.method](endpoint.path, serve(endpoint, serving));
  app.get('/assets/:version/:name', serveAssets(findAsset, setRoute));
  app.use(unknownPath);
  app.use(errorHandler(telemetry.events));
  return app;
}

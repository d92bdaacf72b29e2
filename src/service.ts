import type { RequestListener } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { admitAgentsToSeries } from './agents/admit-to-series.ts';
import { createAnomalyWatch } from './anomalies/watch.ts';
import { type AppDeps, createApp } from './app.ts';
import { createCheckpointMaker } from './audit/make-checkpoints.ts';
import { systemClock } from './clock.ts';
import { type Config, namingVariables } from './config.ts';
import { type OpenDatabase, openDatabaseUrl, reachDatabase } from './database-source.ts';
import { type Database, openDatabase } from './db/client.ts';
import { assertMigrated, migrate } from './db/migrate.ts';
import { createKeyUses } from './developers/key-uses.ts';
import { seedDevelopers } from './developers/seed-developers.ts';
import { createFeeds } from './feeds.ts';
import { reportGauges } from './gauges.ts';
import { createTokenReader } from './grant-token/read-grant-token.ts';
import { createRemovalWorker } from './grants/work-off-removals.ts';
import type { SetRoute } from './http/endpoint.ts';
import { createLimiter } from './http/rate-limit.ts';
import { rateLimitKeyOf } from './http/rate-limit-key.ts';
import { openRedis } from './http/redis.ts';
import { type ListeningServer, listen } from './http/server.ts';
import { createUnderWay, type UnderWay } from './http/under-way.ts';
import { systemIds } from './ids.ts';
import { createChangeTeller } from './operators/tell-changes.ts';
import { isMetrics } from './origin-form.ts';
import { createSessionTokens } from './principal-sessions/session-token.ts';
import { leaveLastCounts } from './reconciliation/leave-counts.ts';
import { createRetention } from './retention/retention.ts';
import { createSealer } from './secrets/sealing.ts';
import { loadSecretKey } from './secrets/secret-key.ts';
import { fileKeyRing } from './signing-keys/file-key-ring.ts';
import { databaseKeyRing, type KeyNews, type KeyRing } from './signing-keys/key-ring.ts';
import { startWarnings } from './start-warnings.ts';
import { createHealth } from './system/health.ts';
import { createTallyKeeper } from './tallies/keep-tallies.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { createSuccessors } from './tokens/successor.ts';
import { createDeliveryWorkers } from './webhooks/delivery-workers.ts';
import { within } from './within.ts';

/** What the service needs of the world around it, besides its configuration. */
export interface ServiceOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** Answers `GET /metrics`; null: no metrics. */
  readonly scrape: RequestListener | null;
  /** What a scrape would show now; null: no metrics. */
  readonly readMetrics: (() => Promise<string>) | null;
  readonly startMetricsServer: (
    handler: RequestListener,
    host: string,
    port: number,
  ) => Promise<{ readonly port: number; close(graceMs: number): Promise<void> }>;
  readonly setRoute: SetRoute;
  readonly endMeasurement: (waits: boolean) => void;
  readonly flushTelemetry: (timeoutMs: number) => Promise<void>;
  /** The embedded database ended without having been asked to. */
  readonly onDatabaseLost: () => void;
}

export interface RunningService {
  /** One line for people: where it listens and where the data is. */
  readonly greeting: string;
  /**
   * Ordered end: not ready; after `SHUTDOWN_DELAY_MS` no new connections; requests under way finish, then webhook deliveries
   * under way, scrapes. The last counts are kept in the database, telemetry is sent, the database comes last.
   * Takes at most `SHUTDOWN_TIMEOUT_MS` after the delay.
   */
  stop(): Promise<void>;
}

/** The part of the shutdown's time that is kept for telemetry and the database. */
const CLOSING_SHARE = 0.3;
/** What is cut off gets as long to end. */
const CUT_MS = 300;

/**
 * Starts in order: database, schema, keys, application, listener. What was started is stopped again when a later step
 * fails.
 * @throws when a step fails; ConfigError for a secret that cannot be used
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { config, telemetry } = options;
  const undo = new AsyncDisposableStack();
  try {
    // A bad SECRET_KEY is a fault of configuration, to be told before anything is started.
    const secretKey = await loadSecretKey(config);
    const sealer = createSealer(secretKey, config.secretKeyOld);
    const source = await openSource(options);
    undo.defer(() => source.close());
    await reachDatabase(source);
    if (config.migrateOnStart) await migrate(source.url);
    else await assertMigrated(source.url);

    const db = openDatabase({
      url: source.url,
      poolMax: config.databasePoolMax,
      telemetry: telemetry.database,
      backgroundTelemetry: telemetry.databaseInBackground,
      onConnectionError: (error, pool) =>
        telemetry.events.databaseConnectionError({ error: describe(error), pool }),
    });
    /** When a stop must be over. */
    let stopBy = Number.POSITIVE_INFINITY;
    undo.defer(() => {
      const leftMs = Math.max(0, stopBy - performance.now());
      return db.close(Math.min(leftMs, config.shutdownTimeoutMs * CLOSING_SHARE));
    });
    const keys = await openKeys(options, db, sealer);
    undo.defer(async () => keys.close());

    const clock = systemClock;
    const ids = systemIds;
    const deliveries = createDeliveryWorkers({ config, db, clock, telemetry, sealer });
    const anomalies = createAnomalyWatch({ config, db, clock, telemetry, ids });
    const retention = createRetention({ config, db, clock, telemetry, ids });
    const tallies = createTallyKeeper({ db, clock, telemetry });
    const feeds = createFeeds({ config, db, clock, telemetry });
    const { revocations, eventStream, heldConnections } = feeds;
    undo.defer(async () => heldConnections.close());
    const removals = createRemovalWorker({
      config,
      db,
      clock,
      ids,
      telemetry,
      deliveriesDue: deliveries.wake,
    });
    const keyUses = createKeyUses({ db, clock, telemetry });
    const changes = createChangeTeller({ db, telemetry });
    const listener: { port: number } = { port: config.port };
    const baseUrl = () => config.publicUrl ?? `http://localhost:${listener.port}`;
    const issuer = () => config.jwtIssuer ?? baseUrl();
    const checkpoints = createCheckpointMaker({ db, clock, issuer, keys, telemetry });
    const works = [deliveries, anomalies, tallies, keyUses, removals, changes, retention, checkpoints];
    undo.defer(async () => {
      await Promise.all([...works, revocations, eventStream].map((work) => work.stop(0)));
    });

    const deps: AppDeps = {
      config,
      db,
      clock,
      ids,
      keys,
      readGrantToken: createTokenReader({ keys, issuer, clock }),
      sessionTokens: createSessionTokens({
        secretKey,
        otherKey: config.secretKeyOld,
        issuer,
        clock,
      }),
      successorOf: createSuccessors(secretKey),
      keyUsed: keyUses.keyUsed,
      telemetry,
      sealer,
      deliveriesDue: deliveries.wake,
      activity: anomalies,
      revocations,
      eventStream,
      heldConnections,
      baseUrl,
      issuer,
    };
    await seedDevelopers(deps);
    const endAgentSeries = await admitAgentsToSeries({ config, db, telemetry });
    undo.defer(() => endAgentSeries(0));
    const health = createHealth(db.side);
    const endGauges = reportGauges({ config, telemetry, db, keys, clock, revocations, heldConnections });
    undo.defer(async () => endGauges());

    const redis = await openRedis(config, telemetry);
    undo.defer(async () => redis?.close());
    const limit = config.rateLimitEnabled
      ? createLimiter(config.rateLimits, config.rateLimitMaxKeys, redis)
      : null;
    const underWay = createUnderWay();
    const { setRoute, endMeasurement } = options;
    const app = createApp({ deps, health, limit, setRoute, endMeasurement, underWay });
    const { scrape } = options;
    const shared = metricsShareListener(config);
    const handler = scrape && shared ? withMetrics(app, scrape) : app;
    const server = await listen(handler, {
      host: config.host,
      port: config.port,
      keepAliveMs: config.keepAliveSeconds * 1000,
      max: config.maxConnections,
      maxPerAddress: config.maxConnectionsPerAddress,
      isProxy: (address) => app.get('trust proxy fn')(address, 0),
      onClosed: (reason) => telemetry.events.connectionClosed({ reason }),
      onRefused: (reason, address = 'unknown') =>
        telemetry.events.httpRefused({ reason, ip: address, network: rateLimitKeyOf(address) }),
      ...(scrape && shared && { isScrape: isMetrics }),
    }).catch(namingVariables('HOST/PORT'));
    listener.port = server.port;
    const metrics = scrape && !shared ? await startMetrics(options, scrape) : null;

    // Not before: while the start keeps the event loop busy, their connections would run out of time.
    for (const work of works) work.start();
    feeds.start();
    const where = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${server.port}`;
    const metricsPort = scrape ? (metrics?.port ?? server.port) : undefined;
    telemetry.logger.info({ url: where, metricsPort }, 'service.started');
    for (const { msg, reason } of startWarnings(config, { metricsShared: shared }))
      telemetry.logger.warn({ reason }, msg);
    const closing = undo.move();
    return {
      greeting: `grantex-auth listens on ${where}, data in ${source.embedded ? config.dataDir : 'the database of DATABASE_URL'}`,
      async stop() {
        // Load balancers see `/health/ready` fail, and send no more new connections.
        health.beginShutdown();
        server.retire();
        await setTimeout(config.shutdownDelayMs);
        stopBy = performance.now() + config.shutdownTimeoutMs;
        const end = stopBy - config.shutdownTimeoutMs * CLOSING_SHARE;
        const leftMs = () => Math.max(0, end - performance.now());
        // Streams have no end of their own. Their clients connect elsewhere at once.
        heldConnections.close();
        const finished = await drain(server, underWay, leftMs());
        await Promise.all([...works, revocations, eventStream].map((work) => work.stop(leftMs())));
        await endAgentSeries(leftMs());
        // What was cut off may still be counted: then the end is that of a crash.
        if (finished && options.readMetrics)
          await within(
            leftMs(),
            leaveLastCounts(deps, options.readMetrics).catch((error: unknown) =>
              telemetry.events.backgroundWorkFailed({ work: 'last_counts', error }),
            ),
          );
        await Promise.all([server.close(), metrics?.close(leftMs())]);
        telemetry.events.flush();
        await options.flushTelemetry(config.shutdownTimeoutMs * (CLOSING_SHARE / 2));
        await closing.disposeAsync();
      },
    };
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
}

async function openSource({ config, telemetry, onDatabaseLost }: ServiceOptions): Promise<OpenDatabase> {
  const source = await openDatabaseUrl(config, (line) => telemetry.logger.debug({ line }, 'database.log'));
  let closing = false;
  void source.exited.then(() => {
    if (!closing) onDatabaseLost();
  });
  return {
    ...source,
    close: () => {
      closing = true;
      return source.close();
    },
  };
}

function openKeys(
  { config, telemetry }: ServiceOptions,
  db: Database,
  sealer: ReturnType<typeof createSealer>,
): Promise<KeyRing> {
  const onError = (error: unknown) =>
    telemetry.logger.warn({ reason: describe(error) }, 'keys.reload_failed');
  const tell = (change: 'created' | 'rotated' | 'revoked', kid: string) =>
    telemetry.events.adminChanged({ object: 'signing_key', change, kid });
  const heard: KeyNews = {
    added: ({ kid, rotated }) => tell(rotated ? 'rotated' : 'created', kid),
    revoked: ({ kid, counts }) =>
      counts ? tell('revoked', kid) : telemetry.logger.warn({ kid }, 'signing_key.revoked'),
  };
  const clock = systemClock;
  if (config.signingKeys) return fileKeyRing(config.signingKeys, { db, clock, onError, heard });
  return databaseKeyRing({ db, sealer, clock, algorithm: config.signingAlgorithm }, onError, heard);
}

/** METRICS_HOST may also name the service's own address; METRICS_PORT, where it is set, is another than PORT. */
const metricsShareListener = ({ host, metricsHost, metricsPort }: Config): boolean =>
  (metricsHost ?? host) === host && metricsPort === null;

/** `/metrics` on the service's own listener passes by every limit and every middleware. */
const withMetrics =
  (app: RequestListener, scrape: RequestListener): RequestListener =>
  (req, res) =>
    isMetrics(req.url) ? scrape(req, res) : app(req, res);

const startMetrics = ({ config, startMetricsServer }: ServiceOptions, scrape: RequestListener) =>
  startMetricsServer(scrape, config.metricsHost ?? config.host, config.metricsPort ?? config.port).catch(
    namingVariables('METRICS_HOST/METRICS_PORT'),
  );

/**
 * Kept connections are ended after their answer, requests under way finish. Those that are cut in the end still need the
 * database, and telemetry to tell of them.
 * @returns whether every request has ended
 */
async function drain(server: ListeningServer, underWay: UnderWay, timeoutMs: number): Promise<boolean> {
  const drained = server.drain();
  await within(timeoutMs - CUT_MS, drained);
  server.cut();
  const idle = Promise.all([drained, underWay.idle()]).then(() => true);
  return (await within(CUT_MS, idle)) ?? false;
}

const describe = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code || (error instanceof Error ? error.message : String(error));
};

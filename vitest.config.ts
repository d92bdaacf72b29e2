import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { PATIENCE_MS } from './test/support/child.ts';
import { testsWithoutDatabase } from './test/support/needs-database.ts';

// Compiled code of vitest and of packages is kept, for workers and for what they start.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/node', import.meta.url));

const SECOND = 1_000;
/** Whatever the service does with its database. */
const ON_A_DATABASE =
  '{agents,anomalies,audit,authorization,compliance,consent,developers,grant-token,grants,model,policies,events,feed,principal-sessions,retention,revocations,secrets,signing-keys,tokens,webhooks}';
/** What takes too long for the gate; `npm run test:nightly` runs it. */
const LONG = 'test/**/*.nightly.test.ts';
/** What can go wrong with the database, by way of what. */
const TABLES = 'test/faults/table-*.test.ts';
/** What needs more than Node, and has projects of its own. */
const SURROUNDINGS = ['stack', 'faults', 'pgbouncer', 'failover'].map((name) => `test/${name}/**`);
/** They promise that every answer comes within seconds, or that none is lost under load: nothing else may take the cores. */
const FAULTS_ALONE =
  'test/faults/{connections,fairness,hostile-tenant,lost-answers,pool-exhausted,rolling-restart,scrape-storm,sigterm}.test.ts';
/** It compares speed and memory with and without a Collector that is gone or hangs: a minute of drills. */
const STACK_ALONE = 'test/stack/troubled-collector.test.ts';
/** What takes 10 seconds and more, and why. `npm test` leaves it to `npm run test:slow`, which the gate runs. */
const SLOW = [
  // Starts and ends of whole processes, some thirty of them, one after another; some must hang for a time limit.
  'test/system/{start-and-stop,second-signal,slow-shutdown}.test.ts',
  // Makes a PostgreSQL for each way to begin and to lose one; one that hangs is given five seconds before it is ended.
  'test/embedded-postgres/{start,end}.test.ts',
  // Starts of replicas and of commands, with each state of the schema.
  'test/db/migrate.test.ts',
  // Fills the tables before it asks for the plan of each statement.
  'test/db/indexes.test.ts',
  // Each fault of a connection lasts until a time limit ends it.
  'test/db/client-faults.test.ts',
  // Eight decisions at once, in some forty rounds each.
  'test/races/consent.test.ts',
  // A process for each state of a collector: there, hanging, broken, absent.
  'test/instrumentation/{otlp,failed-exports,standard-output}.test.ts',
  // Fourteen starts of npm beside two replicas.
  'test/operators/admin.test.ts',
  // Twenty-five starts of npm.
  'test/deploy/command-line.test.ts',
  // Nine starts of replicas: keys are rotated and must have waited before they sign.
  'test/signing-keys/{service,rotation-to-es256,revoke}.test.ts',
  // Ten runs of up to eighty random commands against the service, compared with the model as they go.
  'test/model/model.test.ts',
  // Some twenty random requests to every operation, with the database looked at before and after.
  'test/contract/generated.test.ts',
  // The command waits until figures stand still; processes end in order one after another, under load.
  'test/reconciliation/{command,feed,ordered-end}.test.ts',
  // The demo plays for its twenty seconds, and its drills for fourteen more.
  'test/demo/demo.test.ts',
  // 50,000 grants and as many audit entries are made, exported and counted.
  'test/compliance/large.test.ts',
  // Thousands of grants, which a job works off while it is watched.
  'test/{agents/large-agent,grants/large-stop}.test.ts',
  // Four times a thousand callers; some hundred trees that are revoked while they grow.
  'test/races/{single-use,revocation}.test.ts',
  // A PostgreSQL is made and copied; a database hangs until health's time limit.
  'test/{support/test-server,system/health}.test.ts',
  // A bounded memory is filled to its bound.
  'test/grant-token/remembered-bytes.test.ts',
  // A delivery must have been due, and attempts must have timed out, for seconds that the metrics tell.
  'test/webhooks/{metrics,attempts,purge}.test.ts',
  // Ten simulated days, starts of services whose tables are made old, kills, and full tables for plans.
  'test/retention/{simulation,concurrency,indexes,removal,metrics}.test.ts',
  // Marks in every place of a request to every operation, with a valid request made for each.
  'test/security/canary.test.ts',
  // Fifteen hundred generated requests of two developers.
  'test/security/two-tenants.test.ts',
  // Six starts of two replicas, one pair after the other.
  'test/telemetry/agent-series-replicas.test.ts',
  // A gauge is read every five seconds: names of agents appear, change and go.
  'test/agents/agent-names.test.ts',
  // Each operation is refused for each reason, and waits for a lock once.
  'test/telemetry/refusals-by-reason.test.ts',
  // The feed must have been unreadable for the seconds after which streams end.
  'test/revocations/unreadable.test.ts',
  // Three replicas, one thousand revocations with kills, and two thousand streams that idle through some heartbeats.
  'test/revocations/replicas.test.ts',
  // Windows and periods of detection pass, with replicas that restart.
  'test/anomalies/{replicas,detection}.test.ts',
];
const PURE = testsWithoutDatabase();

/** What all projects have. The limits are for what hangs: a busy machine, on which a start takes ten seconds, is no fault. */
const project = (
  test: TestProjectInlineConfiguration['test'] & { name: string },
): TestProjectInlineConfiguration => ({
  test: {
    pool: 'forks',
    allowOnly: false,
    testTimeout: 240 * SECOND,
    hookTimeout: 240 * SECOND,
    expect: { poll: { timeout: PATIENCE_MS } },
    ...test,
  },
});
const WITH_SERVICE = {
  globalSetup: ['test/support/service-build-setup.ts'],
  setupFiles: ['test/support/end-services.ts'],
};
const WITH_DATABASE = {
  ...WITH_SERVICE,
  globalSetup: [...WITH_SERVICE.globalSetup, 'test/support/global-setup.ts'],
};
/** Building the real binaries for the first time takes minutes. */
const BUILDS = { hookTimeout: 1_200 * SECOND };
/** Projects that are run together follow one another by group; those of one group must have as many workers. */
const inGroup = (groupOrder: number) => ({ sequence: { groupOrder } });

export default defineConfig({
  test: {
    // More than two cores have work for: tests wait a good deal.
    maxWorkers: 3,
    passWithNoTests: false,
    projects: [
      // No PostgreSQL is started for these.
      project({ name: 'pure', include: PURE, exclude: [...SURROUNDINGS, ...SLOW, LONG] }),
      project({
        name: 'unit',
        include: ['test/**/*.test.ts'],
        exclude: [...PURE, ...SURROUNDINGS, ...SLOW, LONG],
        ...WITH_DATABASE,
      }),
      project({ name: 'slow', include: SLOW, ...WITH_DATABASE }),
      // Starts Prometheus, the Collector, Chromium and others for each file, and waits for scrapes and evaluations: alerts must
      // come and go (drills, 150 s), rates need minutes of points (dashboards, 75 s; reconcile, 70 s), Schemathesis asks for 95 s.
      // Two at a time take half of the time; a third one takes the cores that the others' time limits need.
      project({
        name: 'stack',
        include: ['test/stack/**/*.test.ts'],
        exclude: [STACK_ALONE, LONG],
        ...WITH_DATABASE,
        ...inGroup(1),
        maxWorkers: 2,
        ...BUILDS,
      }),
      project({
        name: 'stack-alone',
        include: [STACK_ALONE],
        ...WITH_DATABASE,
        ...inGroup(2),
        fileParallelism: false,
        ...BUILDS,
      }),
      // The same tests with a real PgBouncer, in transaction mode, between the service and its database.
      project({
        name: 'pgbouncer',
        include: [
          `test/${ON_A_DATABASE}/**/*.test.ts`,
          'test/db/{migrate,reserved-connection}.test.ts',
          'test/races/replicas.test.ts',
          'test/pgbouncer/**/*.test.ts',
        ],
        exclude: [LONG],
        ...WITH_DATABASE,
      }),
      // Traffic goes on for as long as a fault lasts (webhooks, 130 s in two files), and memory must settle (60 s).
      project({
        name: 'faults',
        include: ['test/faults/**/*.test.ts'],
        exclude: [TABLES, FAULTS_ALONE, LONG],
        ...WITH_DATABASE,
        ...inGroup(3),
        maxWorkers: 2,
        testTimeout: 120 * SECOND,
        hookTimeout: 60 * SECOND,
      }),
      // Kills and cuts under load: 180 s, of which connections wait for 70 and lost answers for 35.
      project({
        name: 'faults-alone',
        include: [FAULTS_ALONE],
        ...WITH_DATABASE,
        ...inGroup(4),
        fileParallelism: false,
        testTimeout: 120 * SECOND,
        hookTimeout: 60 * SECOND,
      }),
      // One file for each way to the database. They wait more than they work, so they run side by side.
      project({ name: 'database-faults', include: [TABLES], ...WITH_SERVICE, ...inGroup(5) }),
      // With the real Patroni, etcd and HAProxy; a lease that has to run out takes its time.
      project({
        name: 'failover',
        include: ['test/failover/**/*.test.ts'],
        exclude: [LONG],
        ...WITH_SERVICE,
        ...inGroup(6),
        fileParallelism: false,
        testTimeout: 180 * SECOND,
        hookTimeout: 120 * SECOND,
      }),
      project({
        name: 'nightly',
        include: [LONG],
        ...WITH_DATABASE,
        ...inGroup(7),
        fileParallelism: false,
        testTimeout: 600 * SECOND,
        hookTimeout: 600 * SECOND,
      }),
    ],
  },
});

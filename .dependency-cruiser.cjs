/**
 * The arrows of the architecture; docs/architecture.md draws them. Each part of `src` lists the parts that it may use,
 * for types too. No two parts use each other, directly or by way of others: `assertNoCircle` fails if this table says
 * otherwise, and the rules fail if the code does.
 */
const USES = {
  // What knows nothing but itself.
  base: [],
  'database-url': [],
  variables: ['base', 'database-url'],
  config: ['base', 'variables'],
  telemetry: ['base', 'config'],
  db: ['base', 'database-url', 'telemetry'],
  'embedded-postgres': ['base', 'config'],
  deps: ['base', 'config', 'db', 'telemetry'],
  http: ['base', 'config', 'telemetry'],
  pages: ['http'],
};
const FOUNDATION = ['base', 'config', 'db', 'deps', 'http', 'telemetry'];
/** Which other rooms a room may use. Every room may use the foundation. */
const ROOMS = {
  secrets: [],
  'signing-keys': ['secrets'],
  'grant-token': ['signing-keys'],
  developers: [],
  policies: [],
  anomalies: [],
  feed: [],
  events: ['feed'],
  webhooks: ['events', 'secrets'],
  grants: ['developers', 'events', 'grant-token', 'signing-keys'],
  agents: ['grants'],
  audit: ['signing-keys'],
  compliance: ['audit', 'grants', 'policies', 'signing-keys'],
  authorization: ['developers', 'grant-token', 'policies'],
  consent: ['authorization', 'pages'],
  tokens: ['agents', 'developers', 'events', 'grant-token', 'grants', 'signing-keys'],
  oauth: ['developers', 'grant-token', 'grants', 'tokens'],
  'principal-sessions': ['audit', 'grants', 'pages'],
  retention: ['anomalies'],
  system: ['pages'],
  tallies: [],
  revocations: ['feed'],
  operators: ['agents', 'grants'],
  reconciliation: ['grants', 'tallies'],
};
for (const [room, others] of Object.entries(ROOMS)) USES[room] = [...FOUNDATION, ...others];
USES.commands = [
  ...FOUNDATION,
  'audit',
  'database-source',
  'operators',
  'reconciliation',
  'secrets',
  'signing-keys',
  'webhooks',
];
USES['database-source'] = ['base', 'config', 'db', 'embedded-postgres'];
USES.app = [...FOUNDATION, 'pages', ...Object.keys(ROOMS)];
USES.service = [...USES.app, 'app', 'database-source'];
USES.main = ['base', 'config', 'service', 'telemetry'];

/** Parts that are files of `src` itself; every other part is a folder. */
const FILES = {
  base: 'background-loop|caller|clock|command-line-error|compact-jws|duration|errors|fair-queue|hash|ids|label-values|list-depth|loopback|oauth-errors|origin-form|outcome|request-scope|text-table|version|within',
  config: 'config|data-dir',
  deps: 'deps',
  'database-source': 'database-source',
  app: 'app',
  service: 'service|feeds|gauges|start-warnings',
  main: 'main',
};
const pathOf = (part) => (FILES[part] ? `^src/(${FILES[part]})\\.ts$` : `^src/${part}/`);

function assertNoCircle() {
  const done = new Set();
  const visit = (part, above) => {
    if (above.includes(part)) throw new Error(`the parts use each other: ${[...above, part].join(' → ')}`);
    if (done.has(part)) return;
    for (const used of USES[part]) visit(used, [...above, part]);
    done.add(part);
  };
  for (const part of Object.keys(USES)) visit(part, []);
}
assertNoCircle();

const rooms = Object.keys(ROOMS).join('|');
/** The files that have SQL. */
const STORE = 'store\\.ts$';

const partRules = Object.entries(USES).map(([part, used]) => ({
  name: `part-${part}`,
  comment: `${part} uses only: ${used.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: pathOf(part) },
  to: { path: '^src/', pathNot: [part, ...used].map(pathOf) },
}));

module.exports = {
  forbidden: [
    ...partRules,
    {
      name: 'every-file-is-of-a-part',
      severity: 'error',
      from: { path: '^src/', pathNot: [...Object.keys(USES).map(pathOf), '\\.d\\.ts$'] },
      to: {},
    },
    {
      name: 'sql-is-behind-use-cases',
      comment:
        'the stores of other rooms: agents for everybody, grants for the removal of an agent, the outbox for statements that tell of events, the numbering for the feeds, parts of those that issue tokens or look up their caller, types for statements that join',
      severity: 'error',
      from: { path: `^src/(${rooms})/`, pathNot: '^src/agents/delete-agent\\.ts$' },
      to: {
        path: STORE,
        pathNot: [
          '^src/agents/store\\.ts$',
          '^src/(tallies/|events/outbox-|grants/removal-marks-)store\\.ts$',
          '^src/(grants/token-parts|developers/key-owner|feed/numbering)-store\\.ts$',
          '^src/$1/',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'stores-know-no-use-case',
      severity: 'error',
      from: { path: STORE },
      to: {
        path: `^src/(${rooms}|http)/`,
        pathNot: STORE,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'routes-know-no-store',
      comment: 'a route calls a use case; of a store it may know the types of rows',
      severity: 'error',
      from: { path: '[/-]routes\\.ts$' },
      to: { path: [STORE, '^src/db/'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-sql-outside-rooms',
      comment: 'the gauges and the commands are put together outside the rooms',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/((${rooms})/|gauges\\.ts$|commands/)` },
      to: { path: STORE, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^(src|instrumentation)/', pathNot: '\\.d\\.ts$' },
      to: {},
    },
    {
      name: 'no-cycles',
      comment: 'between files, types included',
      severity: 'error',
      from: { path: '^(src|instrumentation|deploy)/' },
      to: { circular: true },
    },
    {
      name: 'no-cycles-of-tests',
      severity: 'error',
      from: { path: '^test/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'only-main-knows-instrumentation',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^instrumentation/' },
    },
    {
      name: 'instrumentation-knows-little-of-src',
      comment:
        'the configuration, the tables of variables and of metric families, and helpers that know nothing themselves',
      severity: 'error',
      from: { path: '^instrumentation/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/(config|label-values|origin-form|within|version|telemetry/families|telemetry/measured)\\.ts$',
          '^src/(telemetry/families|variables)/',
        ],
      },
    },
    {
      name: 'src-knows-only-the-api-of-opentelemetry',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/@opentelemetry/', pathNot: 'node_modules/@opentelemetry/api/' },
    },
    {
      name: 'routes-are-imported-by-the-app-alone',
      severity: 'error',
      from: { pathNot: '^src/app\\.ts$' },
      to: { path: `^src/(${rooms})/routes\\.ts$` },
    },
    {
      name: 'no-http-below-routes',
      severity: 'error',
      from: { path: `^src/(${rooms})/`, pathNot: '[/-](routes|view|security-headers)\\.ts$' },
      to: { path: '^src/http/', pathNot: '^src/http/(html|endpoint)\\.ts$' },
    },
    {
      name: 'the-driver-stays-in-db',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/db/' },
      to: { path: 'node_modules/postgres/' },
    },
    {
      name: 'the-demo-knows-only-the-http-api',
      severity: 'error',
      from: { path: '^deploy/programs/demo/' },
      to: { path: '^(src|instrumentation)/', pathNot: '^src/text-table\\.ts$' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(src|instrumentation|deploy/programs/demo)/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};

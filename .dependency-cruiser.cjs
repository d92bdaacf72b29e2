/** The arrows of the architecture; CONTRIBUTING.md explains the layout. All point downward. */
const ROOMS =
  'anomalies|developers|agents|keys|grants|authorization|consent|policies|principal-sessions|pages|tokens|audit|webhooks|reconciliation|system';
/** The files that have SQL. */
const STORE = 'store\\.ts$';
/** Which other rooms a room may use. */
const DOWNWARD = {
  developers: [],
  anomalies: [],
  agents: ['grants'],
  keys: ['agents'],
  grants: ['agents', 'keys', 'webhooks'],
  authorization: ['consent', 'keys', 'policies'],
  consent: ['agents', 'authorization', 'pages'],
  tokens: ['agents', 'keys', 'grants', 'webhooks'],
  policies: [],
  'principal-sessions': ['grants', 'audit', 'pages'],
  pages: [],
  audit: ['agents'],
  // For the sealing of secrets.
  webhooks: ['keys'],
  reconciliation: [],
  system: [],
};

const roomRules = Object.entries(DOWNWARD).map(([room, others]) => ({
  name: `room-${room}`,
  comment: `${room} uses only: ${others.join(', ') || 'no other room'}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: `^src/(${ROOMS})/`, pathNot: `^src/(${[room, ...others].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: 'sql-is-behind-use-cases',
      comment:
        'the stores of other rooms: agents for everybody, grants for the removal of an agent, the outbox for statements that tell webhooks, types for statements that join',
      severity: 'error',
      from: { path: `^src/(${ROOMS})/`, pathNot: '^src/agents/delete-agent\\.ts$' },
      to: {
        path: STORE,
        pathNot: ['^src/agents/store\\.ts$', '^src/webhooks/outbox-store\\.ts$', '^src/$1/'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'stores-know-no-use-case',
      severity: 'error',
      from: { path: STORE },
      to: {
        path: `^src/(${ROOMS}|http)/`,
        pathNot: STORE,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'no-sql-outside-rooms',
      comment: 'the gauge of active grants and the commands are put together outside the rooms',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/((${ROOMS})/|service\\.ts$|commands/)` },
      to: { path: STORE, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nothing-imports-upward',
      severity: 'error',
      from: { pathNot: '^src/(main|service)\\.ts$' },
      to: { path: '^src/(main|app|service)\\.ts$' },
    },
    {
      name: 'nothing-imports-commands',
      severity: 'error',
      from: { pathNot: '^src/commands/' },
      to: { path: '^src/commands/' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^(src|instrumentation)/', pathNot: '\\.d\\.ts$' },
      to: {},
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
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
        'the configuration, the closed sets of its labels, and three helpers that know nothing themselves',
      severity: 'error',
      from: { path: '^instrumentation/' },
      to: { path: '^src/', pathNot: '^src/(config|closed-sets|origin-form|within|version)\\.ts$' },
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
      to: { path: `^src/(${ROOMS})/routes\\.ts$` },
    },
    {
      name: 'http-and-db-know-no-room',
      comment: 'but for the type of the developer that a request is made for',
      severity: 'error',
      from: { path: '^src/(http|db)/' },
      to: { path: `^src/(${ROOMS})/`, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'telemetry-stands-alone',
      severity: 'error',
      from: { path: '^src/telemetry/' },
      to: { path: '^src/', pathNot: '^src/(telemetry/|(config|closed-sets|errors|request-scope|within)\\.ts)' },
    },
    {
      name: 'no-http-below-routes',
      severity: 'error',
      from: { path: `^src/(${ROOMS})/`, pathNot: '/(routes|view|security-headers)\\.ts$' },
      to: { path: '^src/http/', pathNot: '^src/http/(html|endpoint)\\.ts$' },
    },
    {
      name: 'the-driver-stays-in-db',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/db/' },
      to: { path: 'node_modules/postgres/' },
    },
    {
      name: 'db-and-the-bundled-server-are-apart',
      comment: 'the client does not know whose server it talks to, and the launcher runs no statements',
      severity: 'error',
      from: { path: '^src/(db|embedded-postgres)/' },
      to: { path: '^src/(db|embedded-postgres)/', pathNot: '^src/$1/' },
    },
    {
      name: 'the-demo-knows-only-the-http-api',
      severity: 'error',
      from: { path: '^deploy/demo/' },
      to: { path: '^(src|instrumentation)/', pathNot: '^src/text-table\\.ts$' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(src|instrumentation|deploy/demo)/' },
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

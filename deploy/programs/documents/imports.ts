import { allowedImports, FOUNDATION } from './rules-of-imports.ts';

/** What each part of `src` is. */
const IS: Readonly<Record<string, string>> = {
  base: 'files of `src` that import none but each other: `ids.ts`, `clock.ts`, `outcome.ts`, `errors.ts` and the like',
  'database-url': 'reads `DATABASE_URL`',
  variables: 'the table of environment variables',
  config: '`config.ts`, `data-dir.ts`: the configuration that follows from the variables',
  telemetry: 'the catalogue of metrics, and what records them, log lines and spans',
  db: 'the database client, and migrations',
  'embedded-postgres': 'starts and ends the embedded PostgreSQL',
  deps: '`deps.ts`: what use cases can ask for',
  http: 'endpoints, limits, errors, assets',
  pages: 'the layout of the pages, and scopes in words',
  secrets: 'sealing of secrets at rest',
  'signing-keys': 'the key pairs that sign, and their rotation',
  'grant-token': 'grant tokens: made, signed, read',
  developers: 'sign-up, API keys',
  policies: 'rules of a developer that decide in place of a person',
  anomalies: 'unusual behaviour of agents',
  events: 'what is told of grants and tokens, and the stream of it',
  webhooks: 'events to receivers',
  grants: 'consent on record, delegation, revocation',
  agents: 'what acts for principals',
  audit: 'the hash chain of what agents did',
  compliance: 'reports and exports for auditors',
  authorization: 'requests for consent',
  consent: 'the consent page and the decision',
  tokens: 'exchange, refresh, verify',
  oauth: 'metadata, introspection and revocation for clients that know OAuth',
  'principal-sessions': 'the permissions page',
  system: 'health, `/openapi.json`, the page at `/`',
  retention: 'the removal of what has ended',
  feed: 'numbered entries that many clients follow, by streams and long polls',
  revocations: 'the revocation feed',
  tallies: 'numbers that are kept, so that gauges count no rows',
  reconciliation: 'the comparison of metrics with rows',
  operators: 'what operators do by `npm run admin`',
  commands: '`npm run admin`, `audit`, `keys`, `migrate`, `reconcile`',
  'database-source': '`database-source.ts`: the database of `DATABASE_URL`, or the embedded one',
  app: '`app.ts`: puts the routes of all modules together',
  service: '`service.ts`, `feeds.ts`, `gauges.ts`: starts and ends everything',
  main: '`main.ts`: the process',
};

const code = (part: string): string => `\`${part}\``;

/** The table of docs/architecture.md: every part of `src`, what it is, and which parts it may import. */
export function importsTable(): string {
  const allowed = allowedImports();
  const unknown = Object.keys(IS).filter((part) => !allowed.has(part));
  if (unknown.length > 0) throw new Error(`the rules have no part ${unknown.join(', ')}`);
  const rows = [...allowed].map(([part, imports]) => {
    const text = IS[part];
    if (text === undefined)
      throw new Error(`nothing says what ${part} is: add it to ${import.meta.filename}`);
    return `| ${code(part)} | ${text} | ${cellOf(imports, allowed.get('app') ?? [])} |`;
  });
  return ['', '| part | is | may import |', '|---|---|---|', ...rows, ''].join('\n');
}

function cellOf(imports: readonly string[], ofApp: readonly string[]): string {
  const has = (parts: readonly string[]) => parts.every((part) => imports.includes(part));
  const [short, parts] = has(['app', ...ofApp])
    ? ['what `app` may', ofApp]
    : has(FOUNDATION)
      ? ['the foundation', FOUNDATION]
      : ['', []];
  const others = imports.filter((part) => !parts.includes(part)).map(code);
  return [short, ...others].filter((cell) => cell !== '').join(', ');
}

import type { ColumnType } from '../../src/db/column-types.ts';
import type { Query } from '../../src/db/query.ts';
import type { Examples } from './examples.ts';

/** The questions of one batch. */
const QUESTIONS = 16;
const HOUR = 3_600_000;
/** Beyond the numbers of all rows. */
const NEW_NUMBERS = 1e12;

/** Parameters by name, when all statements mean the same by it. */
const byName = (of: Examples): Readonly<Record<string, unknown>> => ({
  developerId: of.developerId,
  agentId: of.agentId,
  subAgentId: of.agentId,
  principalId: of.principalId,
  grantId: of.ids['grants'],
  parentGrantId: of.ids['grants'],
  webhookId: of.ids['webhooks'],
  jti: of.jti,
  parentJti: of.jti,
  keyHash: of.keyHash,
  codeHash: of.codeHash,
  presentedHash: of.refreshHash,
  limit: 100,
  offset: 0,
  since: new Date(of.now.getTime() - HOUR),
  before: new Date(of.now.getTime() - 365 * 24 * HOUR),
  scopes: ['calendar:read'],
  start: '22:00',
  end: '06:00',
  windowHours: 24,
  windowMinutes: 10,
  baselineHours: 24,
  maxAttempts: 5,
  changed: [],
});

/** What a statement is about when a parameter has no meaning of its own. */
function byType({ sqlType, nullable }: ColumnType<unknown>, now: Date): unknown {
  if (nullable) return null;
  if (sqlType === 'timestamp with time zone') return now;
  if (sqlType === 'text[]') return [];
  if (sqlType === 'bytea') return Buffer.alloc(32, 1);
  if (sqlType === 'boolean') return false;
  if (sqlType === 'jsonb') return {};
  if (sqlType === 'time without time zone') return '00:00';
  return sqlType === 'text' ? 'none' : 1;
}

/** Optional parameters that a statement has a text of its own for, in which they are null. */
function absentIn(text: string): Set<number> {
  return new Set(Array.from(text.matchAll(/(?:and|where) \$(\d+)::text is null/g), ([, n]) => Number(n) - 1));
}

/**
 * Questions of a batch, whose members its text names. Members without a meaning of their own differ from question to
 * question, because some of them become ids of new rows.
 */
function questions(text: string, values: Readonly<Record<string, unknown>>, now: Date): string {
  const sent = /as sent \(ordinal int, (.*)\)\)/.exec(text)?.[1] ?? '';
  const members = Array.from(sent.matchAll(/"(\w+)" ([^,]+)/g), ([, name = '', sqlType = '']) => ({
    name,
    sqlType,
  }));
  return JSON.stringify(
    Array.from({ length: QUESTIONS }, (_, ordinal) => ({
      ordinal,
      ...Object.fromEntries(
        members.map(({ name, sqlType }) => {
          const value = values[name];
          if (Buffer.isBuffer(value)) return [name, value.toString('hex')];
          // It serves as an id and as the digits of a hash.
          if (value === undefined && sqlType === 'text') return [name, String(100_000 + ordinal)];
          if (value === undefined && sqlType === 'bigint') return [name, NEW_NUMBERS + ordinal];
          return [name, value ?? byType({ sqlType, nullable: false }, now)];
        }),
      ),
    })),
  );
}

/**
 * Values for every parameter of a statement, in the order of its text: rows of the largest developer where the name says
 * which, else something of the right type.
 * @param special values of this statement by name, before all others
 */
export function valuesFor(
  statement: Query<never, unknown>,
  of: Examples,
  special: Readonly<Record<string, unknown>>,
): unknown[] {
  const known: Readonly<Record<string, unknown>> = { ...byName(of), ...special };
  const absent = absentIn(statement.text);
  const id = statement.operation === 'INSERT' ? 'new' : of.ids[statement.collection ?? ''];
  return statement.parameters.map(([name, type], index) => {
    if (name in special) return special[name];
    if (absent.has(index)) return null;
    if (name === 'questions') return questions(statement.text, known, of.now);
    if (name === 'id') return id ?? 'none';
    // Bounds of a list's time are not given, unless a case gives them.
    if (type.nullable && (name === 'since' || name === 'until')) return null;
    return known[name] === undefined ? byType(type, of.now) : known[name];
  });
}

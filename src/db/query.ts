import { describeStatement, type Statement, type StatementDescription } from '../telemetry/database.ts';
import { type Columns, type ColumnType, text as textType, type ValuesOf } from './column-types.ts';

/**
 * A statement with typed parameters and rows. Its text names parameters as `$agentId`. A test asks a migrated database
 * to describe every query, and compares parameters and columns with what is declared here.
 */
export interface Query<P, R> extends Statement {
  /** In the order of PostgreSQL's `$1`, `$2`, … */
  readonly parameters: readonly (readonly [name: keyof P & string, type: ColumnType<unknown>])[];
  readonly columns: Columns;
  /** No such member exists at run time: it only carries the type of the rows. */
  readonly row?: R;
}

interface Definition<P extends Columns, R extends Columns> extends StatementDescription {
  readonly params: P;
  /** Columns of the result; `{}` for a statement that returns none. */
  readonly row: R;
}

const QUERIES: Query<never, unknown>[] = [];

/** Every query of the modules that are loaded, for the test that describes them. */
export const allQueries = (): readonly Query<never, unknown>[] => QUERIES;

/**
 * Declares a query. Call it once per statement, at the top of a module.
 * @throws when the text and `params` do not name the same parameters
 */
export function query<P extends Columns, R extends Columns>({
  params,
  row,
  ...statement
}: Definition<P, R>): Query<ValuesOf<P>, ValuesOf<R>> {
  const names: string[] = [];
  const text = statement.text.replace(/\$([a-z]\w*)/gi, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  const odd = [...names, ...Object.keys(params)].filter((name) => !names.includes(name) || !(name in params));
  if (odd.length > 0) throw new Error(`${statement.name}: text and params differ in ${odd.join(', ')}`);
  const parameters = names.map((name) => [name, params[name] as ColumnType<unknown>] as const);
  const made = { ...describeStatement({ ...statement, text }), parameters, columns: row };
  QUERIES.push(made);
  return made;
}

/** The values of a query in the order of its parameters. */
export const valuesOf = <P>({ parameters }: Query<P, unknown>, values: P): unknown[] =>
  parameters.map(([name]) => values[name]);

/** A query that answers many questions at once. It returns one row per question, in the order of their `ordinal`. */
export interface BatchQuery<Q, R> extends Query<{ readonly questions: string }, R> {
  readonly question: Columns;
  /** No such member exists at run time: it only carries the type of a question. */
  readonly asks?: Q;
}

interface BatchDefinition<Q extends Columns, R extends Columns> extends Omit<StatementDescription, 'text'> {
  /** The members of one question. */
  readonly question: Q;
  readonly row: R;
  /**
   * @param asked a common table expression `asked`: `ordinal`, and a column for each member of a question
   * @returns the whole text
   */
  readonly text: (asked: string) => string;
}

/** Declares a batch query. The questions travel as JSON, so that one text serves any number of them. */
export function batchQuery<Q extends Columns, R extends Columns>({
  question,
  text,
  ...rest
}: BatchDefinition<Q, R>): BatchQuery<ValuesOf<Q>, ValuesOf<R>> {
  const members = Object.entries(question);
  const read = members.map(([name, { sqlType }]) =>
    sqlType === 'bytea' ? `decode("${name}", 'hex') as "${name}"` : `"${name}"`,
  );
  const sent = members.map(([name, { sqlType }]) => `"${name}" ${sqlType === 'bytea' ? 'text' : sqlType}`);
  const asked = `asked as materialized (
      select ordinal, ${read.join(', ')}
      from jsonb_to_recordset($questions::text::jsonb) as sent (ordinal int, ${sent.join(', ')}))`;
  return { ...query({ ...rest, params: { questions: textType }, text: text(asked) }), question };
}

/** The questions of one batch as JSON text. */
export function questionsOf<Q extends object>(
  { question }: BatchQuery<Q, unknown>,
  asked: readonly Q[],
): string {
  const binary = Object.keys(question).filter((name) => question[name]?.sqlType === 'bytea');
  return JSON.stringify(
    asked.map((one, ordinal) => {
      const sent: Record<string, unknown> = { ordinal, ...one };
      for (const name of binary) sent[name] = (sent[name] as Buffer | null)?.toString('hex') ?? null;
      return sent;
    }),
  );
}

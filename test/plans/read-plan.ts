import type postgres from 'postgres';

/** A node of a plan as PostgreSQL describes it in JSON. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  /** Per loop. */
  readonly 'Actual Rows'?: number;
  readonly 'Actual Loops'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** What a statement did when it ran. */
export interface Work {
  /** Tables that were read from end to end. */
  readonly scanned: readonly string[];
  /** The most rows that one sort was given. */
  readonly sorted: number;
  /** Rows that were read of these tables, those that a filter removed among them. */
  readonly read: number;
  readonly ms: number;
  /** Its nodes with the rows that each gave. */
  readonly plan: string;
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
const rowsOf = (node: PlanNode): number => (node['Actual Rows'] ?? 0) * (node['Actual Loops'] ?? 0);
const SCANS = ['Seq Scan', 'Index Scan', 'Index Only Scan', 'Bitmap Heap Scan', 'Tid Scan'];

/** Explains a statement as the planner plans it with these values, runs it, and takes back what it changed. */
export async function runAndExplain(
  sql: postgres.Sql,
  text: string,
  values: readonly unknown[],
  tables: readonly string[],
): Promise<Work> {
  const kept: { plan?: { Plan: PlanNode; 'Execution Time': number } } = {};
  await sql
    .begin(async (tx) => {
      const rows = await tx.unsafe(
        `explain (analyze, timing off, buffers off, format json) ${text}`,
        values as never[],
      );
      kept.plan = rows[0]?.['QUERY PLAN'][0];
      throw TAKE_BACK;
    })
    .catch((error: unknown) => {
      if (error !== TAKE_BACK) throw error;
    });
  if (!kept.plan) throw new Error('there is no plan');
  const nodes = nodesOf(kept.plan.Plan);
  const ofTables = nodes.filter((node) => tables.includes(node['Relation Name'] ?? ''));
  const isSort = (node: PlanNode) => node['Node Type'] === 'Sort';
  return {
    scanned: ofTables
      .filter((node) => node['Node Type'] === 'Seq Scan' && (node['Actual Loops'] ?? 0) > 0)
      .map((node) => node['Relation Name'] ?? ''),
    // Rows are told per loop, rounded.
    sorted: Math.round(
      Math.max(0, ...nodes.filter(isSort).map((node) => sumOf((node.Plans ?? []).map(rowsOf)))),
    ),
    read: Math.round(
      sumOf(
        ofTables
          .filter((node) => SCANS.includes(node['Node Type']))
          .map(
            (node) =>
              rowsOf(node) +
              ((node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) *
                (node['Actual Loops'] ?? 0),
          ),
      ),
    ),
    ms: kept.plan['Execution Time'],
    plan: nodes
      .map((node) =>
        [node['Node Type'], node['Relation Name'], Math.round(rowsOf(node))].filter(Boolean).join(' '),
      )
      .join(' < '),
  };
}

/** Thrown to end a transaction whose result is known. */
const TAKE_BACK = new Error('taken back');
const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

/** The plan that a prepared statement keeps for any values. */
export async function genericPlan(sql: postgres.Sql, text: string): Promise<string> {
  const rows = await sql.unsafe(`explain (generic_plan) ${text}`).simple();
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

/** Those of the tables that a plan in text reads from end to end. */
export const scannedIn = (plan: string, tables: readonly string[]): string[] =>
  Array.from(plan.matchAll(/Seq Scan on (\w+)/g), ([, table = '']) => table).filter((table) =>
    tables.includes(table),
  );

import { expect } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { sumOver } from '../support/ledger.ts';
import type { TestService } from '../support/service.ts';

export interface Figures {
  readonly attempts: number;
  readonly delivered: number;
  readonly failed: number;
}

/** The attempts of present deliveries, and the number of deliveries by status, including removed ones. */
export async function storedFigures({
  sql,
}: Pick<TestDatabase, 'sql'>): Promise<Figures & { readonly pending: number }> {
  const [row] = await sql<[Figures & { pending: number }]>`
    with gone as (select coalesce(sum(total) filter (where status = 'delivered'), 0) as delivered,
        coalesce(sum(total) filter (where status = 'failed'), 0) as failed from removed_deliveries),
      rows as (select coalesce(sum(attempts), 0) as attempts,
        count(*) filter (where status = 'delivered') as delivered,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'pending') as pending from webhook_deliveries)
    select attempts::int, (rows.delivered + gone.delivered)::int as delivered, (rows.failed + gone.failed)::int as failed,
      pending::int from rows, gone`;
  return row;
}

const OUTCOMES = ['2xx', '3xx', '4xx', '5xx', 'timeout', 'refused', 'blocked'];
const total = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

/**
 * Waits until the replicas together have counted `expected`. A count comes immediately after its commit, not with it.
 */
export async function expectCounted(replicas: readonly TestService[], expected: Figures): Promise<void> {
  const read = async (): Promise<Figures> => {
    const attempts = OUTCOMES.map((outcome) =>
      sumOver(replicas, 'grantex_webhook_attempts_total', { outcome }),
    );
    const ended = (status: string) => sumOver(replicas, 'grantex_webhook_deliveries_total', { status });
    return {
      attempts: total(await Promise.all(attempts)),
      delivered: await ended('delivered'),
      failed: await ended('failed'),
    };
  };
  await expect.poll(read, { timeout: 5000 }).toEqual(expected);
}

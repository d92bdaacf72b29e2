import type { DemoContext } from './context.ts';
import { type Developer, type Totals, totalsOf } from './developers.ts';
import type { Summary } from './report.ts';

const MAX_WAIT_MS = 15_000;
const POLL_INTERVAL_MS = 250;
/** Receivers that end each delivery with its first attempt. The demo waits only for their deliveries. */
const PROMPT = new Set(['good', 'slow', 'gone']);

/** Waits for the pending deliveries to prompt receivers, at most 15 seconds. @returns whether none is pending */
export async function waitForDeliveries({ caller, developers, receivers }: DemoContext): Promise<boolean> {
  // The service repeats a refused delivery after half a minute at the earliest.
  if (receivers.wasDown) return false;
  const hooks = developers.flatMap(({ key, webhooks }) =>
    webhooks.filter(({ receiver }) => PROMPT.has(receiver)).map(({ id }) => ({ key, id })),
  );
  const deadline = performance.now() + MAX_WAIT_MS;
  for (const { key, id } of hooks)
    for (;;) {
      const path = `/v1/webhooks/${id}/deliveries?status=pending&pageSize=1`;
      if ((await caller.send('look', path, { key })).body.total === 0) break;
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  return true;
}

/** Waits until the grants with a life of a few seconds have expired, so that the gauge of active grants is stable. */
export const waitForShortGrants = ({ shortGrantsEndAt }: DemoContext): Promise<void> =>
  new Promise((resolve) =>
    setTimeout(resolve, Math.max(0, shortGrantsEndAt + EXPIRY_MARGIN_MS - performance.now())),
  );
const EXPIRY_MARGIN_MS = 200;

/** Runs the detection a last time, so that the totals include the anomalies of the last seconds. */
export async function detectAnomalies({ caller, developers }: DemoContext): Promise<void> {
  for (const { key } of developers) await caller.post('detect', '/v1/anomalies/detect', key);
}

/** The deliveries to all receivers of the demo, by outcome. Call it before `removeWebhooks`. */
export async function deliveriesOf({ caller, developers }: DemoContext): Promise<Summary['deliveries']> {
  const sums = { delivered: 0, failed: 0, pending: 0 };
  for (const { key, webhooks } of developers)
    for (const { id } of webhooks)
      for (const status of ['delivered', 'failed', 'pending'] as const) {
        const path = `/v1/webhooks/${id}/deliveries?status=${status}&pageSize=1`;
        sums[status] += (await caller.send('look', path, { key })).body.total ?? 0;
      }
  return sums;
}

/**
 * Removes the webhooks. Their receivers end with the demo, and the service would repeat pending deliveries for minutes.
 */
export async function removeWebhooks({ caller, developers }: DemoContext): Promise<void> {
  for (const { key, webhooks } of developers)
    for (const { id } of webhooks)
      await caller.send('webhook', `/v1/webhooks/${id}`, { method: 'DELETE', key });
}

/** The change of the developers' totals since the demo began. */
export async function totalsChange({ caller, developers }: DemoContext): Promise<Totals> {
  const sum = { active: 0, revoked: 0, anomalies: 0, unacknowledged: 0 };
  const byType: Record<string, number> = {};
  for (const developer of developers) {
    const after = await totalsOf(caller, developer.key);
    for (const name of Object.keys(sum) as (keyof typeof sum)[])
      sum[name] += after[name] - developer.totalsBefore[name];
    addTypes(byType, after, developer);
  }
  return { ...sum, byType };
}

function addTypes(byType: Record<string, number>, after: Totals, { totalsBefore }: Developer): void {
  for (const [type, total] of Object.entries(after.byType)) {
    const change = total - (totalsBefore.byType[type] ?? 0);
    if (change !== 0) byType[type] = (byType[type] ?? 0) + change;
  }
}

import { type Developer, type Totals, totalsOf } from './cast.ts';
import type { Summary } from './report.ts';
import type { Stage } from './stage.ts';

const DRAIN_MS = 15_000;
const LOOK_EVERY_MS = 250;
/** Whoever answers at once, and well: what is for them is waited for. */
const PROMPT = new Set(['good', 'slow', 'gone']);

/** Waits until receivers that answer have got what is theirs, at most a quarter of a minute. @returns whether they have */
export async function drained({ caller, developers, receivers }: Stage): Promise<boolean> {
  // What was refused while they were down is tried again half a minute later at the earliest.
  if (receivers.wasDown) return false;
  const hooks = developers.flatMap(({ key, webhooks }) =>
    webhooks.filter(({ receiver }) => PROMPT.has(receiver)).map(({ id }) => ({ key, id })),
  );
  const deadline = performance.now() + DRAIN_MS;
  for (const { key, id } of hooks)
    for (;;) {
      const path = `/v1/webhooks/${id}/deliveries?status=pending&pageSize=1`;
      if ((await caller.send('look', path, { key })).body.total === 0) break;
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  return true;
}

/** Waits until grants that were given a few seconds have run out: the gauge of active grants is to stand still. */
export const runOut = ({ runOutAt }: Stage): Promise<void> =>
  new Promise((resolve) =>
    setTimeout(resolve, Math.max(0, runOutAt + RUN_OUT_MARGIN_MS - performance.now())),
  );
const RUN_OUT_MARGIN_MS = 200;

/** Looks for anomalies a last time, so that those of the last seconds are among the totals. */
export async function detect({ caller, developers }: Stage): Promise<void> {
  for (const { key } of developers) await caller.post('detect', '/v1/anomalies/detect', key);
}

/** What became of the deliveries to all receivers of the demo; asked before they are removed. */
export async function deliveriesOf({ caller, developers }: Stage): Promise<Summary['deliveries']> {
  const sums = { delivered: 0, failed: 0, pending: 0 };
  for (const { key, webhooks } of developers)
    for (const { id } of webhooks)
      for (const status of ['delivered', 'failed', 'pending'] as const) {
        const path = `/v1/webhooks/${id}/deliveries?status=${status}&pageSize=1`;
        sums[status] += (await caller.send('look', path, { key })).body.total ?? 0;
      }
  return sums;
}

/** Nobody listens any more: what is still to be delivered would be tried for minutes. */
export async function removeWebhooks({ caller, developers }: Stage): Promise<void> {
  for (const { key, webhooks } of developers)
    for (const { id } of webhooks)
      await caller.send('webhook', `/v1/webhooks/${id}`, { method: 'DELETE', key });
}

/** By how much the developers' totals have changed since the demo began. */
export async function changeOf({ caller, developers }: Stage): Promise<Totals> {
  const sum = { active: 0, revoked: 0, anomalies: 0, unacknowledged: 0 };
  const byType: Record<string, number> = {};
  for (const developer of developers) {
    const after = await totalsOf(caller, developer.key);
    for (const name of Object.keys(sum) as (keyof typeof sum)[])
      sum[name] += after[name] - developer.before[name];
    addTypes(byType, after, developer);
  }
  return { ...sum, byType };
}

function addTypes(byType: Record<string, number>, after: Totals, { before }: Developer): void {
  for (const [type, total] of Object.entries(after.byType)) {
    const change = total - (before.byType[type] ?? 0);
    if (change !== 0) byType[type] = (byType[type] ?? 0) + change;
  }
}

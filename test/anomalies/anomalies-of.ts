import type { Party } from '../support/flow.ts';
import { type TestService, waitFor } from '../support/service.ts';

export interface AnomalyView {
  readonly id: string;
  readonly type: string;
  readonly severity: string;
  readonly agentId: string;
  readonly principalId: string | null;
  readonly metadata: Record<string, unknown>;
  readonly acknowledgedAt: string | null;
}
export const list = async (on: TestService, { key }: Party, query = ''): Promise<AnomalyView[]> =>
  (await on.request('GET', `/v1/anomalies${query}`, { key })).body.anomalies;
export const typesOf = (anomalies: readonly AnomalyView[]) => anomalies.map(({ type }) => type).sort();
/**
 * After a look that took long, as every one may on a busy machine, the next is nine times as long in coming: a minute at most.
 */
export const NEXT_LOOK_MS = 90_000;
/** Those of a party, once all of these types are there. */
export const listed = (on: TestService, party: Party, ...types: string[]) =>
  waitFor(async () => {
    const anomalies = await list(on, party);
    const have = typesOf(anomalies);
    return types.every((type) => have.includes(type)) ? anomalies : undefined;
  }, NEXT_LOOK_MS);
export const detected = async (on: TestService, type: string, severity: string) =>
  (await on.scrape()).value('grantex_anomalies_detected_total', { type, severity });

import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type DetectDeps, type Detection, detectAnomalies } from './detect-anomalies.ts';
import { type Anomaly, acknowledgeAnomalyRow, listAnomalies } from './store.ts';

type Caller = Pick<Developer, 'id'>;

/** How far back a detection reads single facts when a developer asks for it. */
const LOOK_BACK_MS = 24 * 60 * 60 * 1000;
/** An answer holds at most this many anomalies, the newest; `total` has their number. */
export const MAX_LISTED = 1000;

/** Running detections by developer. A second request during a detection gets the result of that detection. */
export type DetectionsUnderWay = Map<string, Promise<Outcome<Detection>>>;

/** Runs detection for all agents of a developer now. */
export function detectNow(
  deps: DetectDeps & Pick<Deps, 'db'> & { readonly underWay: DetectionsUnderWay },
  { id }: Caller,
): Promise<Outcome<Detection>> {
  const { underWay, clock, db } = deps;
  const known = underWay.get(id);
  if (known) return known;
  const since = new Date(clock.now() - LOOK_BACK_MS);
  const detection = detectAnomalies(deps, db, { developers: [id] }, since)
    .then((found) => done(found))
    .finally(() => underWay.delete(id));
  underWay.set(id, detection);
  return detection;
}

/** The newest anomalies of a developer, and their total number. */
export const ownAnomalies = async (
  { db }: Pick<Deps, 'db'>,
  { id }: Caller,
  { openOnly }: { openOnly: boolean },
): Promise<Outcome<{ anomalies: Anomaly[]; total: number }>> =>
  done(await listAnomalies(db, id, { openOnly, limit: MAX_LISTED }));

/** Records that someone has dealt with an anomaly. NOT_FOUND for an unknown one or one of another developer. */
export async function acknowledgeAnomaly(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  { id: developerId }: Caller,
  { id, notes }: { id: string; notes: string | null },
): Promise<Outcome<Anomaly>> {
  const now = new Date(clock.now());
  const anomaly = await acknowledgeAnomalyRow(db, { developerId, id, now, notes });
  return anomaly ? done(anomaly) : refuse(notFound('Anomaly'));
}

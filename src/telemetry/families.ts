/**
 * The catalogue of metric families: one entry is everything that is known of one family. The instruments, the zeros of the
 * first scrape, the views of `instrumentation/`, the attribute registry and the table of docs/metrics.md follow from it.
 * Dashboards and alerts are written against its names, labels and boundaries (telemetry contract). To add a family, add
 * an entry in `families/` and run `npm run documents`; only `src/telemetry` records into it.
 */
import { BACKGROUND_FAMILIES } from './families/background.ts';
import { CLIENT_FAMILIES } from './families/clients.ts';
import type { Family } from './families/family.ts';
import { PACKAGE_FAMILIES } from './families/packages.ts';
import { PIPELINE_FAMILIES, TELEMETRY_DROPPED } from './families/pipeline.ts';
import { PROCESS_FAMILIES } from './families/process.ts';
import { PROTOCOL_FAMILIES } from './families/protocol.ts';
import { SECURITY_FAMILIES } from './families/security.ts';

/** The families that the service records, by the name of their instrument in the code. */
export const SERVICE_FAMILIES = {
  ...PROTOCOL_FAMILIES,
  ...SECURITY_FAMILIES,
  ...BACKGROUND_FAMILIES,
  ...CLIENT_FAMILIES,
  ...PIPELINE_FAMILIES,
};

/** Every family of the exposition. */
export const FAMILIES: readonly Family[] = [
  ...Object.values(SERVICE_FAMILIES),
  TELEMETRY_DROPPED,
  ...Object.values(PROCESS_FAMILIES),
  ...PACKAGE_FAMILIES,
];

import type { ServiceError } from '../errors.ts';
import type { RefusableOperation, RefusalReason } from '../label-values.ts';
import { isRefused, type Outcome } from '../outcome.ts';
import type { Events } from '../telemetry/events.ts';

/** Tells of an outcome that is a refusal of an operation, unless a family of its own counts it. */
export function tellRefusal(
  operation: RefusableOperation | undefined,
  outcome: Outcome<unknown>,
  events: Pick<Events, 'requestRefused'>,
): void {
  if (operation === undefined) return;
  const reason = outcome.reason ?? (isRefused(outcome) ? reasonOf(outcome.refusal) : null);
  if (reason !== null) events.requestRefused({ operation, reason, agentId: outcome.agentId });
}

/** The reason of a refusal that no use case has given one. null for 401 and 429, which have families of their own. */
function reasonOf({ status }: ServiceError): RefusalReason | null {
  if (status === 401 || status === 429) return null;
  if (status === 503) return 'unavailable';
  return status >= 500 ? 'internal_error' : 'bad_request';
}

import { ANOMALY_SEVERITIES, type AnomalyType } from '../label-values.ts';

/** One result of a rule: the agent and principal, the time of the newest fact, and the figures that explain it. */
export interface Finding {
  readonly type: AnomalyType;
  readonly developerId: string;
  readonly agentId: string;
  /** null: the finding is about the agent across all of its principals. */
  readonly principalId: string | null;
  /** Time of the newest fact behind the finding. An acknowledgement covers everything before it. */
  readonly at: Date;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const SENTENCES: Readonly<Record<AnomalyType, (m: Readonly<Record<string, unknown>>) => string>> = {
  rate_spike: (m) =>
    `${m['issued']} tokens were issued within ${m['windowMinutes']} minutes, where ${m['baseline']} are usual`,
  high_failure_rate: (m) =>
    `${m['failed']} of ${m['total']} actions and exchanges within ${m['windowHours']} hours failed or were blocked`,
  new_principal: () => 'The agent has its first grant for this principal',
  off_hours_activity: (m) => `${m['issued']} tokens were issued between ${m['start']} and ${m['end']} UTC`,
  unusual_scope_access: (m) =>
    `The agent asks for ${m['count']} scopes that it never had: ${(m['scopes'] as readonly string[]).join(', ')}`,
  cascade_delegation: (m) =>
    `A grant was delegated ${m['depth']} levels deep, where ${m['maxDepth']} are the limit`,
};

const MAX_DESCRIPTION = 500;
/**
 * One sentence for people, at most `MAX_DESCRIPTION` UTF-16 code units long. A surrogate pair at the cut is replaced.
 */
export const describeFinding = ({ type, metadata }: Finding): string =>
  SENTENCES[type](metadata).slice(0, MAX_DESCRIPTION).toWellFormed();

export const severityOf = (type: AnomalyType) => ANOMALY_SEVERITIES[type];

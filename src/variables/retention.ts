// How long what has ended is kept.
import { integer } from './values.ts';
import { variable } from './variable.ts';

export const RETENTION = {
  retentionDays: variable(
    'RETENTION_DAYS',
    integer(1, 3650),
    '30',
    'Tokens, refresh tokens, requests for authorization and acknowledged anomalies are removed this many days after they have ended.',
  ),
  grantRetentionDays: variable(
    'GRANT_RETENTION_DAYS',
    integer(1, 3650),
    '400',
    'Grants, the record of consent, are removed this many days after they have expired or were revoked.',
  ),
  auditRetentionDays: variable(
    'AUDIT_RETENTION_DAYS',
    integer(0, 3650),
    '0',
    'Audit entries are removed this many days after they were written, always from the beginning of a chain. 0: never.',
  ),
};

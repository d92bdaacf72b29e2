import { ADMIN_CHANGES, AUTHENTICATION_REASONS, CREDENTIALS } from '../../../src/label-values.ts';
import type { Row } from './dashboard.ts';
import { graph } from './panels.ts';
import { count, perSecond, series } from './queries.ts';
import { MORE_SIGNALS } from './signals.ts';

const FAILURES = 'grantex_authentication_failures_total';

export const security: Row = {
  title: 'Security',
  panels: [
    graph({
      title: '401 a minute, by reason',
      description:
        'Requests with no valid credential. The alert begins at the dashed lines and leaves out sessions that have ended. The log lines auth.failed have the addresses.',
      unit: 'reqpm',
      width: 12,
      queries: [
        { expr: `60 * ${perSecond(series(FAILURES, 'reason!="expired"'))}`, legend: 'all but expired' },
        {
          expr: `60 * ${perSecond(series(FAILURES), 'credential, reason')}`,
          legend: '{{credential}} {{reason}}',
          names: CREDENTIALS.flatMap((credential) =>
            AUTHENTICATION_REASONS.map((reason) => `${credential} ${reason}`),
          ),
        },
      ],
      signal: MORE_SIGNALS.authenticationFailuresPerMinute,
    }),
    graph({
      title: 'Changes by developers and operators',
      description:
        'Keys, agents, policies, webhooks, sessions and signing keys that were made, changed or removed. The log line of each change names the developer.',
      unit: 'none',
      width: 12,
      look: 'bars',
      queries: [
        {
          expr: count(series('grantex_admin_changes_total'), 'object, change'),
          legend: '{{object}} {{change}}',
          names: Object.entries(ADMIN_CHANGES).flatMap(([object, changes]) =>
            changes.map((change) => `${object} ${change}`),
          ),
        },
      ],
      noValue: 'none',
    }),
  ],
};

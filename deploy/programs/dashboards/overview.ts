import { dashboard } from './dashboard.ts';
import { anomalies, http } from './overview-health.ts';
import { saturation } from './overview-saturation.ts';
import { security } from './overview-security.ts';
import { signalsNow } from './overview-signals.ts';
import { grants, tokens, webhooks } from './overview-work.ts';

export const overview = () =>
  dashboard({
    name: 'overview',
    title: 'overview',
    description: 'Whether the service works, what callers ask of it, and what slows it down.',
    rows: [signalsNow, tokens, grants, webhooks, anomalies, http, security, saturation],
  });

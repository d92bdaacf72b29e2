import { dashboard } from './dashboard.ts';
import { anomalies, http } from './overview-health.ts';
import { saturation } from './overview-saturation.ts';
import { signalsNow } from './overview-signals.ts';
import { grants, tokens, webhooks } from './overview-work.ts';
import { job } from './variables.ts';

export const overview = () =>
  dashboard({
    name: 'overview',
    title: 'overview',
    description: 'Whether the service does its work, what it is asked to do, and what holds it up.',
    variables: [job()],
    rows: [signalsNow, tokens, grants, webhooks, anomalies, http, saturation],
  });

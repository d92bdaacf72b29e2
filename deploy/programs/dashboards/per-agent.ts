import { dashboard } from './dashboard.ts';
import { agentsNow, perAgentRows } from './per-agent-rows.ts';
import { agentId, job } from './variables.ts';

export const perAgent = () =>
  dashboard({
    name: 'per-agent',
    title: 'per agent',
    description:
      'The overview for single agents. The first METRICS_AGENT_LIMIT agents of each replica have series of their own; METRICS_PER_AGENT=false takes all of them away.',
    variables: [job(), agentId()],
    rows: [agentsNow, ...perAgentRows],
  });

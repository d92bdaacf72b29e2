import { dashboard } from './dashboard.ts';
import { agentsNow, perAgentRows } from './per-agent-rows.ts';
import { agentId } from './variables.ts';

export const perAgent = () =>
  dashboard({
    name: 'per-agent',
    title: 'per agent',
    description:
      'The overview for single agents. The first METRICS_AGENT_LIMIT agents of the deployment have separate series. METRICS_PER_AGENT=false removes all of them.',
    variables: [agentId()],
    rows: [agentsNow, ...perAgentRows],
  });

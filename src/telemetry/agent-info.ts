import type { ObservableResult } from '@opentelemetry/api';

/** An agent that has series of its own, with its present name. */
export interface NamedAgent {
  readonly agentId: string;
  readonly name: string;
  readonly developerId: string;
}

const MOST_CHARACTERS = 100;

/** By characters, so that none is cut in two. */
const shortened = (name: string): string => [...name].slice(0, MOST_CHARACTERS).join('');

/** Makes the function that reports agents: 1 for each, and 0 for those that are gone since, so that they can be left out. */
export function createAgentInfo(): (agents: readonly NamedAgent[], result: ObservableResult) => void {
  let told = new Map<string, NamedAgent>();
  const tell = ({ agentId, name, developerId }: NamedAgent, value: 0 | 1, result: ObservableResult) =>
    result.observe(value, { agent_id: agentId, agent_name: shortened(name), developer_id: developerId });
  return (agents, result) => {
    const present = new Map(agents.map((agent) => [agent.agentId, agent]));
    for (const [agentId, agent] of told) if (!present.has(agentId)) tell(agent, 0, result);
    for (const agent of agents) tell(agent, 1, result);
    // Those that are gone are told once: the SDK keeps their last value.
    told = present;
  };
}

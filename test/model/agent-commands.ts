import { which } from './at.ts';
import { caller, command, developersOf, someOf } from './command.ts';
import { agentKind } from './situations.ts';

/** No multiple of 70 comes near a life of grants, nor near the 300 and 600 seconds of the contract. */
const STEPS = [70, 210, 420, 3500];

export const newAgent = command('new agent', (model, pick) => {
  const developer = pick(developersOf(model)) ?? 0;
  const scopes = pick([[], [], ['files:read', 'files:write']]) ?? [];
  return {
    name: `new agent of developer ${developer} for ${scopes.join(' ') || 'anything'}`,
    act: (on) => on.newAgent(developer, scopes),
  };
});

export const setStatus = (status: 'active' | 'suspended') =>
  command(status, (model, pick) => {
    const wanted = which(model.agents, (found) => found.status !== status);
    const agent = someOf(model, pick, agentKind, wanted, (n) => model.agents[n]?.status !== 'deleted');
    if (agent === undefined) return null;
    const { developer } = caller(model, pick, agent);
    return {
      name: `set agent ${agent} ${status} by developer ${developer}`,
      act: (on) => on.setStatus(developer, agent, status),
    };
  });

export const deleteAgent = command('delete agent', (model, pick) => {
  const agent = someOf(model, pick, agentKind, which(model.agents), () => true);
  if (agent === undefined) return null;
  const { developer } = caller(model, pick, agent);
  return {
    name: `delete agent ${agent} by developer ${developer}`,
    act: (on) => on.deleteAgent(developer, agent),
  };
});

export const pass = command('time passes', (_model, pick) => {
  const seconds = pick(STEPS) ?? 0;
  return {
    name: `${seconds} s pass`,
    act: (on) => on.pass(seconds),
  };
});

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Values } from '../../../deploy/programs/dashboards/interpolate.ts';
import { allOf, offeredBy, queriedVariables } from '../../../deploy/programs/dashboards/panel-data.ts';
import { FAMILIES } from '../../../src/telemetry/families.ts';
import type { WatchedDemo } from './watched-demo.ts';

/** The choices to test: All, every single value of each variable, and two values where a variable has two. */
export async function everyChoice(dashboard: Dashboard, view: WatchedDemo['view']): Promise<Values[]> {
  const all = await allOf(dashboard, view);
  const choices = [all];
  for (const variable of queriedVariables(dashboard)) {
    const offered = await offeredBy(variable, { ...view, values: all });
    if (offered.length === 0) throw new Error(`$${variable.name} offers nothing`);
    choices.push(...offered.map((value) => ({ ...all, [variable.name]: [value] })));
    if (offered.length > 1) choices.push({ ...all, [variable.name]: offered.slice(0, 2) });
  }
  return choices;
}

/**
 * The agents whose series increased during the demo, by the name of the series. The event that creates a series is no
 * increase.
 */
export async function agentsThatDid(view: WatchedDemo['view']): Promise<Map<string, string[]>> {
  const { start, end } = view.span;
  const names = FAMILIES.flatMap(({ perAgent, boundaries }) =>
    perAgent ? [boundaries ? `${perAgent.name}_bucket` : perAgent.name] : [],
  );
  const found = names.map(async (name) => {
    const moved = await view.prometheus.instant(
      `sum by (agent_id) (increase(${name}[${end - start}s])) > 0`,
      end,
    );
    return [name, moved.map(({ labels }) => labels['agent_id'] ?? '')] as const;
  });
  return new Map(await Promise.all(found));
}

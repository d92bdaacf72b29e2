import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  RowBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { FIRING } from './alerts.ts';
import { DATA_SOURCE, dataSource, INPUTS, instance, job, pipelineJobs, runbooks } from './variables.ts';

export interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}

export interface DashboardOptions {
  /** The last part of the uid `grantex-…`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Those beside data source, deployment and replica. */
  readonly variables?: readonly Builder<VariableModel>[];
  readonly rows: readonly Row[];
}

/** A dashboard that Grafana can import by hand, with a prompt for the data source, or provision from the file. */
export type ImportableDashboard = Dashboard & Record<'__inputs' | '__requires', unknown>;

const TAG = 'grantex';

export function dashboard(options: DashboardOptions): ImportableDashboard {
  const builder = new DashboardBuilder(`Grantex auth: ${options.title}`)
    .uid(`grantex-${options.name}`)
    .description(options.description)
    .tags([TAG, 'generated'])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(dataSource())
    .withVariable(runbooks())
    .withVariable(pipelineJobs())
    .withVariable(job())
    .withVariable(instance())
    .annotation(firingAlerts())
    .link(
      new DashboardLinkBuilder('Grantex auth')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .includeVars(true)
        .keepTime(true),
    );
  for (const variable of options.variables ?? []) builder.withVariable(variable);
  for (const { title, panels } of options.rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  const built = visible(builder.build());
  built.panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return { __inputs: INPUTS, __requires: requirements(built), ...built };
}

/** By default the SDK hides links and annotations in a menu. Without a placement, Grafana shows them at the top. */
const visible = (built: Dashboard): Dashboard =>
  JSON.parse(
    JSON.stringify(built, (key, value) =>
      key === 'placement' && value === 'inControlsMenu' ? undefined : value,
    ),
  );

/** The firing alerts of this service, shown as ranges on every graph. */
const firingAlerts = () =>
  new AnnotationQueryBuilder()
    .name('Firing alerts')
    .datasource(DATA_SOURCE)
    .enable(true)
    .iconColor('red')
    .expr(FIRING)
    .step('60s')
    .titleFormat('{{alertname}}')
    .textFormat('{{severity}}')
    .tagKeys('severity');

/** The requirements that Grafana checks before an import. */
function requirements({ panels = [] }: Dashboard) {
  const kinds = new Set(panels.map(({ type }) => type).filter((type) => type !== 'row'));
  return [
    { type: 'grafana', id: 'grafana', name: 'Grafana', version: '11.0.0' },
    { type: 'datasource', id: 'prometheus', name: 'Prometheus', version: '1.0.0' },
    ...[...kinds].sort().map((id) => ({ type: 'panel', id, name: id, version: '' })),
  ];
}

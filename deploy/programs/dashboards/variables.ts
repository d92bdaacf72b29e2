import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';

/** The data source of every panel, query, variable and annotation. */
export const DATA_SOURCE = { type: 'prometheus', uid: `\${DS_PROMETHEUS}` };

/**
 * The input that Grafana asks for when a person imports the file. It then writes the answer into every
 * `${DS_PROMETHEUS}`. Provisioning asks for no input. There, `${DS_PROMETHEUS}` means the variable of the same name.
 */
export const INPUTS = [
  {
    name: 'DS_PROMETHEUS',
    label: 'Prometheus',
    description: 'The Prometheus that scrapes the service',
    type: 'datasource',
    pluginId: 'prometheus',
    pluginName: 'Prometheus',
  },
];

export const dataSource = (): DatasourceVariableBuilder =>
  new DatasourceVariableBuilder('DS_PROMETHEUS')
    .label('Prometheus')
    .description('Where the numbers come from. A dashboard imported by hand stays with what was chosen then.')
    .type('prometheus')
    .current({ selected: false, text: 'default', value: 'default' });

/** The address where deploy/runbooks is published. In docker-compose.yml Grafana itself serves the files. */
export const runbooks = (): TextBoxVariableBuilder =>
  new TextBoxVariableBuilder('runbooks')
    .label('Runbooks')
    .description('Address below which deploy/runbooks can be read: the links of panels lead there')
    .hide(VariableHide.HideVariable)
    .defaultValue('/public/runbooks');

/**
 * The scrape jobs of the collector, Prometheus and Alertmanager, as a regular expression. Their names are those of
 * deploy/prometheus/prometheus.yml. Other installations call them otherwise.
 */
export const pipelineJobs = (): TextBoxVariableBuilder =>
  new TextBoxVariableBuilder('pipeline')
    .label('Pipeline jobs')
    .description('Scrape jobs of the collector, Prometheus and Alertmanager: a regular expression')
    .hide(VariableHide.HideVariable)
    .defaultValue('otel-collector|prometheus|alertmanager');

/** A variable with the values of a label. A person can choose several of them, or All. */
const fromLabel = (name: string, label: string, description: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(DATA_SOURCE)
    .query({ qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: ['All'], value: ['$__all'] });

/** The deployments, by the name of their scrape job. All lists each by name, because Prometheus has other jobs, too. */
export const job = (): QueryVariableBuilder =>
  fromLabel('job', 'Deployment', 'Scrape job of the service', 'label_values(grantex_authorize_total, job)');

/** The replicas of the chosen deployments. All is `.+`, so that a replica that begins later is there, too. */
export const instance = (): QueryVariableBuilder =>
  fromLabel(
    'instance',
    'Replica',
    'Replicas of the service, by the address that is scraped',
    'label_values(grantex_authorize_total{job=~"$job"}, instance)',
  ).allValue('.+');

/** All is `.+` here, because 500 agents by name would make a query of many kilobytes. */
export const agentId = (): QueryVariableBuilder =>
  fromLabel(
    'agent_id',
    'Agent',
    'Agents that have acted; `other` is all those beyond METRICS_AGENT_LIMIT, and unknown ones',
    'label_values({__name__=~"grantex_agent_.+", job=~"$job", instance=~"$instance"}, agent_id)',
  ).allValue('.+');

export const slo = (): QueryVariableBuilder =>
  fromLabel(
    'slo',
    'Objective',
    'Service level objectives',
    'label_values(slo:current_burn_rate:ratio{job=~"$job"}, sloth_slo)',
  ).allValue('.+');

import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { binary } from '../binaries/build.ts';
import { type ProgramResult, runProgram } from '../python.ts';

export const CHART = fileURLToPath(new URL('../../../deploy/helm/grantex-auth', import.meta.url));
const VALUES = fileURLToPath(new URL('./values/', import.meta.url));

/** The value sets of the tests. `defaults` is the chart's own values.yaml. */
export const VALUE_SETS = ['defaults', 'production', 'minimal'] as const;
export type ValueSet = (typeof VALUE_SETS)[number];

// biome-ignore lint/suspicious/noExplicitAny: resources of every shape
export type Resource = any;

/** Only released binaries of helm know a default version of Kubernetes. Ours is built here and needs this option. */
const KUBE_VERSION = ['--kube-version', '1.34.0'];

const valuesOf = (set: ValueSet) => (set === 'defaults' ? [] : ['--values', `${VALUES}${set}.yaml`]);

/** Removes helm's warnings about symbolic links in the chart, which are intended. */
const withoutLinks = ({ code, output }: ProgramResult): ProgramResult => ({
  code,
  output: output.replaceAll(/^.*found symbolic link in path.*\n/gm, ''),
});

export const helm = async (...args: readonly string[]): Promise<ProgramResult> =>
  withoutLinks(await runProgram(await binary('helm'), args));

export const lint = (set: ValueSet): Promise<ProgramResult> =>
  helm('lint', '--strict', ...KUBE_VERSION, ...valuesOf(set), CHART);

/** The output of `helm template` for a chart, a value set and more settings. */
export const renderChart = (chart: string, set: ValueSet, ...settings: readonly string[]) =>
  helm('template', 'auth', chart, '--namespace', 'identity', ...KUBE_VERSION, ...valuesOf(set), ...settings);

export const render = (set: ValueSet, ...settings: readonly string[]): Promise<ProgramResult> =>
  renderChart(CHART, set, ...settings);

/** Every resource of a rendered text. A duplicate key in a resource is an error. */
export const resourcesIn = (text: string): Resource[] =>
  parseAllDocuments(text).flatMap((document) => {
    for (const error of document.errors) throw error;
    const resource = document.toJS();
    return resource === null ? [] : [resource];
  });

/** The rendered resources of one value set. */
export interface Rendered {
  readonly text: string;
  readonly resources: readonly Resource[];
  /** The kinds of all resources, sorted. */
  readonly kinds: readonly string[];
  /** The one resource of this kind and name. @throws when there is none or more than one */
  one(kind: string, name?: string): Resource;
  /** The container of the service. */
  readonly container: Resource;
  /** The variables of that container: the value, or its source. */
  readonly variables: Readonly<Record<string, Resource>>;
}

/** @throws with the output of helm when it fails */
export async function rendered(set: ValueSet): Promise<Rendered> {
  const { code, output: text } = await render(set);
  if (code !== 0) throw new Error(text);
  const resources = resourcesIn(text);
  const one = (kind: string, name = 'auth-grantex-auth'): Resource => {
    const found = resources.filter((each) => each.kind === kind && each.metadata.name === name);
    if (found.length !== 1) throw new Error(`${set} has ${found.length} resources ${kind} ${name}`);
    return found[0];
  };
  const [container] = one('Deployment').spec.template.spec.containers;
  const variables = Object.fromEntries(
    container.env.map((entry: Resource) => [entry.name, entry.value ?? entry.valueFrom]),
  );
  return { text, resources, kinds: resources.map(({ kind }) => kind).toSorted(), one, container, variables };
}

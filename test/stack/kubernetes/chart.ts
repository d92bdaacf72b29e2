import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { binary } from '../binaries/build.ts';
import { type ProgramResult, runProgram } from '../python.ts';

export const CHART = fileURLToPath(new URL('../../../deploy/helm/grantex-auth', import.meta.url));
const VALUES = fileURLToPath(new URL('./values/', import.meta.url));

/** The value sets that are tried; `defaults` is the chart's own values.yaml. */
export const VALUE_SETS = ['defaults', 'production', 'minimal'] as const;
export type ValueSet = (typeof VALUE_SETS)[number];

// biome-ignore lint/suspicious/noExplicitAny: resources of every shape
export type Resource = any;

/** helm takes a cluster of its time for granted only when it was released; one that was built here has to be told. */
const KUBE_VERSION = ['--kube-version', '1.34.0'];

const valuesOf = (set: ValueSet) => (set === 'defaults' ? [] : ['--values', `${VALUES}${set}.yaml`]);

/** What helm says of the links in the chart is no news: they are there on purpose. */
const withoutLinks = ({ code, output }: ProgramResult): ProgramResult => ({
  code,
  output: output.replaceAll(/^.*found symbolic link in path.*\n/gm, ''),
});

export const helm = async (...args: readonly string[]): Promise<ProgramResult> =>
  withoutLinks(await runProgram(await binary('helm'), args));

export const lint = (set: ValueSet): Promise<ProgramResult> =>
  helm('lint', '--strict', ...KUBE_VERSION, ...valuesOf(set), CHART);

/** What `helm template` makes of a chart, a value set and more settings, as text. */
export const renderChart = (chart: string, set: ValueSet, ...settings: readonly string[]) =>
  helm('template', 'auth', chart, '--namespace', 'identity', ...KUBE_VERSION, ...valuesOf(set), ...settings);

export const render = (set: ValueSet, ...settings: readonly string[]): Promise<ProgramResult> =>
  renderChart(CHART, set, ...settings);

/** Every resource of a rendered text; a key that appears twice in one of them is an error. */
export const resourcesIn = (text: string): Resource[] =>
  parseAllDocuments(text).flatMap((document) => {
    for (const error of document.errors) throw error;
    const resource = document.toJS();
    return resource === null ? [] : [resource];
  });

/** One value set as rendered, and ways to look into it. */
export interface Rendered {
  readonly text: string;
  readonly resources: readonly Resource[];
  /** Of every resource, sorted. */
  readonly kinds: readonly string[];
  /** The one resource of this kind and name. @throws when there is none or more than one */
  one(kind: string, name?: string): Resource;
  /** The container that serves. */
  readonly container: Resource;
  /** Its variables: the value, or where it comes from. */
  readonly variables: Readonly<Record<string, Resource>>;
}

/** @throws with helm's words when it refuses */
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

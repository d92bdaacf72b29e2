import { readdir, readFile } from 'node:fs/promises';
import { parse } from 'yaml';

/** A rule of Prometheus in the form of its file. */
export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
export type AlertRule = Rule & { readonly alert: string };

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/**
 * All rules of the `*.yml` in a directory, in the order of the file names.
 * @throws when a file is no YAML; `promtool check rules` finds all other errors
 */
export async function readRules(directory: URL): Promise<Rule[]> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.yml')).sort();
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, directory), 'utf8')));
  return texts.flatMap((text) => (parse(text) as RuleFile).groups.flatMap(({ rules }) => rules));
}

export const isAlert = (rule: Rule): rule is AlertRule => rule.alert !== undefined;

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A service of docker-compose.yml, as far as the tests look at it. */
export interface ComposeService {
  readonly image?: string;
  readonly mem_limit?: string;
  readonly cpus?: number;
  readonly pids_limit?: number;
  readonly build?: string | { readonly context: string; readonly dockerfile_inline?: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
}
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export const readText = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8');
// biome-ignore lint/suspicious/noExplicitAny: configuration files of every shape
export const readYaml = (path: string): any => parse(readText(path), { merge: true });
export const compose: ComposeFile = readYaml('docker-compose.yml');

/** A service that must be there. */
export function serviceNamed(name: string): ComposeService {
  const service = compose.services[name];
  if (!service) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

import { createRequire } from 'node:module';

interface Rule {
  readonly name: string;
  readonly comment?: string;
}
const load = createRequire(import.meta.url);
const rules: { readonly forbidden: readonly Rule[] } = load('../../../.dependency-cruiser.cjs');

/** What every module may import. */
export const FOUNDATION: readonly string[] = ['base', 'config', 'db', 'deps', 'http', 'telemetry'];

/** The parts of `src`, and which other parts each may import, in the order of `.dependency-cruiser.cjs`. */
export function allowedImports(): ReadonlyMap<string, readonly string[]> {
  return new Map(
    rules.forbidden.flatMap(({ name, comment = '' }): [string, string[]][] => {
      const [, part] = /^part-(.*)$/.exec(name) ?? [];
      const [, used] = /uses only: (.*)$/.exec(comment) ?? [];
      if (part === undefined || used === undefined) return [];
      return [[part, used === 'nothing' ? [] : used.split(', ')]];
    }),
  );
}

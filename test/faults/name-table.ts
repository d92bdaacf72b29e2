import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An /etc/hosts of one process alone. */
export interface NameTable {
  readonly path: string;
  /** `localhost` is there from now on. */
  moveTo(address: string): Promise<void>;
  remove(): Promise<void>;
}

export async function makeNameTable(address: string): Promise<NameTable> {
  const directory = await mkdtemp(join(tmpdir(), 'grantex-names-'));
  const path = join(directory, 'hosts');
  // Written in place: what is mounted is this very file.
  const moveTo = (to: string) => writeFile(path, `${to} localhost\n`);
  await moveTo(address);
  return { path, moveTo, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** Gives a process of ours, and what it starts, this table in the place of the machine's. Needs `unshare`. */
export const withNames = (table: NameTable, command: readonly string[]): string[] => [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--mount',
  'sh',
  '-euc',
  'mount --bind "$0" /etc/hosts && exec "$@"',
  table.path,
  ...command,
];

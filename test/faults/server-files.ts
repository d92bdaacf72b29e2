import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, open as openFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The page size of the memory behind such a disk. */
const BLOCK_BYTES = 4096;

/** Makes a file readable only for the server of `cluster`. */
export async function giveToServer(path: string, cluster: string, mode = 0o600): Promise<void> {
  const { uid, gid } = await stat(cluster);
  await chown(path, uid, gid);
  await chmod(path, mode);
}

/** A small disk in memory. */
export interface Tmpfs {
  readonly path: string;
  /** Fills the disk completely. */
  fill(): Promise<void>;
  empty(): Promise<void>;
  remove(): Promise<void>;
}

/** Mounts a small disk. It needs root, like the installation of the gate's programs. */
export async function makeTmpfs(megabytes: number, cluster: string): Promise<Tmpfs> {
  const mounted = await mkdtemp(join(tmpdir(), 'grantex-disk-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', mounted]);
  await giveToServer(mounted, cluster, 0o700);
  const filler = join(mounted, 'filler');
  const path = join(mounted, 'space');
  await run('mkdir', [path]);
  await giveToServer(path, cluster, 0o700);
  return {
    path,
    async fill() {
      const block = Buffer.alloc(BLOCK_BYTES);
      const file = await openFile(filler, 'a');
      try {
        for (;;) await file.write(block);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    empty: () => rm(filler, { force: true }),
    async remove() {
      await run('umount', [mounted]);
      await rm(mounted, { recursive: true });
    },
  };
}

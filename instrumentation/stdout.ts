import { writeSync } from 'node:fs';

export interface LineStream {
  /** Takes one line of JSON, its newline included. Never waits and never throws; what does not fit is lost and counted. */
  write(line: string): void;
  /** Writes out what is held, before it returns; waits for a reader only as long as it reads. */
  flushSync(): void;
  /** Lines that were not taken, so far. */
  lost(): number;
}

/** Characters held before they are written out within the turn. */
const HOLD = 16_000;
/** Characters held at most for a reader that is slow or has stopped: some seconds of a busy service. */
const MOST_HELD = 4_000_000;
/** The pause before the next attempt to write to a slow reader. */
const RETRY_MS = 10;
/** How long the end waits for a reader that takes nothing, and at most. */
const [SILENT_MS, LONGEST_MS] = [300, 2000];

const NEWLINE = 10;
/**
 * JSON leaves them as they are, and Unicode ends lines with them, as many readers of lines do: whoever could have one logged could
 * begin a line of their own.
 */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;
const escaped = (end: string) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`;
const NOTHING = Buffer.alloc(0);

/**
 * The record: standard output. Its lines stay whole and in order, and it never holds up the service: a reader that has stopped
 * loses lines, and so does a full disk or a closed pipe. They are counted.
 *
 * Lines of one turn of the event loop go out in one synchronous write. Measured with 100,000 lines in bursts of ten through
 * a pipe: 3.7 µs of CPU a line, against 5.5 for a write per line and 4.4 for SonicBoom's asynchronous mode, which leaves a
 * write under way when the process exits: in 8 exits of 16 some of the last 3,000 lines were lost or out of order. A write of
 * a thread pool also blocks one of its threads, and so the exit, until the reader reads.
 */
export function createStandardOutput(): LineStream {
  // Reading the property makes Node switch a pipe or a socket to non-blocking writes.
  return createLineStream(process.stdout.fd);
}

/** The same for any descriptor, which should not block. */
export function createLineStream(fd: number): LineStream {
  let held = '';
  /** What is being written. */
  let rest: Buffer = NOTHING;
  /** The reader has the beginning of the line that `rest` begins with. */
  let cut = false;
  let scheduled = false;
  let waiting = false;
  let lost = 0;

  /** @returns whether more can be written now */
  const writeSome = (): boolean => {
    if (rest.length === 0) {
      if (held === '') return false;
      rest = Buffer.from(held);
      held = '';
    }
    const written = tryWrite(fd, rest);
    if (written === 'broken') return drop();
    if (written === 0) return false;
    cut = rest[written - 1] !== NEWLINE;
    rest = rest.subarray(written);
    return true;
  };
  /** Nothing can be written: only the rest of a line that was begun is kept, so that no other line follows half of it. */
  const drop = (): false => {
    const end = cut ? rest.indexOf(NEWLINE) + 1 : 0;
    lost += linesIn(rest.subarray(end)) + held.split('\n').length - 1;
    rest = rest.subarray(0, end);
    held = '';
    return false;
  };
  const flush = () => {
    scheduled = false;
    while (writeSome());
    const full = rest.length > 0;
    if (full && !waiting) setTimeout(retry, RETRY_MS).unref();
    waiting = full;
  };
  const retry = () => {
    waiting = false;
    flush();
  };
  const flushSync = () => {
    const begun = performance.now();
    let progress = begun;
    while (rest.length > 0 || held !== '') {
      if (writeSome()) {
        progress = performance.now();
        continue;
      }
      const now = performance.now();
      if (now - progress > SILENT_MS || now - begun > LONGEST_MS) return;
      if (rest.length > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  };
  process.on('exit', flushSync);
  return {
    write(line) {
      if (held.length + rest.length + line.length > MOST_HELD) {
        lost += 1;
        return;
      }
      held += line.replace(LINE_ENDS, escaped);
      if (waiting) return;
      if (held.length > HOLD) flush();
      if (scheduled || held === '') return;
      scheduled = true;
      setImmediate(flush);
    },
    flushSync,
    lost: () => lost,
  };
}

/** Bytes that were taken; 0: none now. `broken`: the reader has gone (EPIPE), or the disk is full. */
function tryWrite(fd: number, bytes: Buffer): number | 'broken' {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : 'broken';
  }
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === NEWLINE) lines += 1;
  return lines;
}

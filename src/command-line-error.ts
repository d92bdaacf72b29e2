// How every command refuses a command line: with one line and exit code 2.

/** Exit code. */
export const USAGE_ERROR = 2;

export const usageMessage = (fault: string): string => `${fault}; --help says what there is`;

/** What `parseArgs` of Node finds wrong, in one sentence: it goes on with hints to what nobody meant. */
export const parseFault = (error: unknown): string => (error as Error).message.split(/\.? *\n|\. /)[0] ?? '';

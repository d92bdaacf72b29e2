// How every command refuses a command line: with one line and exit code 2.

/** Exit code. */
export const USAGE_ERROR = 2;

export const usageMessage = (fault: string): string => `${fault}; --help says what there is`;

/** The first sentence of a fault that Node's `parseArgs` reports. The hints after it rarely fit. */
export const parseFault = (error: unknown): string => (error as Error).message.split(/\.? *\n|\. /)[0] ?? '';

// How every command refuses a command line: one line and exit code 2, be it of the service or of its surroundings.

/** Exit code. */
export const BAD_USAGE = 2;

export const refusal = (fault: string): string => `${fault}; --help says what there is`;

/** What `parseArgs` of Node finds wrong, in one sentence: it goes on with hints to what nobody meant. */
export const faultOf = (error: unknown): string => (error as Error).message.split(/\.? *\n|\. /)[0] ?? '';

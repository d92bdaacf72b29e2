/** Cells of the counters that the log worker and the main thread share: 64-bit integers. */
export const SETTLED = 0;
export const LOST = 1;
export const LEDGER_BYTES = 2 * BigInt64Array.BYTES_PER_ELEMENT;

/** Events of the log worker: how an export went, and what its packages say of themselves. */
export const EXPORTED = 'exported';
export const DIAGNOSTIC = 'diagnostic';

import { testLargeExports } from './large-exports.ts';

// More than the buffers of two sockets hold.
testLargeExports(50_000);

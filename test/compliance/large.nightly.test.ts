import { testLargeExports } from './large-exports.ts';

testLargeExports(200_000);

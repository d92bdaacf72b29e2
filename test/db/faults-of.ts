import { expect } from 'vitest';
import { parseTarget, TargetError } from '../../src/database-url/target.ts';

/** What is wrong with a connection string. */
export function faultsOf(text: string): readonly string[] {
  try {
    parseTarget(text);
    return [];
  } catch (error) {
    if (!(error instanceof TargetError)) throw error;
    expect(error.message).toBe(error.faults.join('; '));
    return error.faults;
  }
}

import { type Fault, faultsOn } from './fault.ts';
import { FAULTS } from './faults.ts';
import { type Column, defineTable } from './table.ts';
import { WAYS, type Way } from './ways.ts';

/** Selects one possible way for each fault, in turn. The nightly table runs every fault on every way. */
function selected(way: Way): Fault[] {
  return faultsOn(way, FAULTS).filter((fault) => {
    const ways = WAYS.filter((one) => faultsOn(one, [fault]).length > 0);
    return way === ways[FAULTS.indexOf(fault) % ways.length];
  });
}

/** Defines the gate's tests for one way. Each way has its own test file, so that they run in parallel. */
export function defineSelection(name: Way['name'], more: Partial<Column> = {}): void {
  const way = WAYS.find((one) => one.name === name);
  if (!way) throw new Error(`there is no way ${name}`);
  defineTable([
    { way, faults: selected(way), locked: [], lockedMs: 3_000, frozen: [], settles: false, ...more },
  ]);
}

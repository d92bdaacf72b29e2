import { type Fault, faultsOn } from './fault.ts';
import { FAULTS } from './faults.ts';
import { type Column, defineTable } from './table.ts';
import { WAYS, type Way } from './ways.ts';

/** Each fault on one of the ways that have it, these in turn. The nightly table has all on all. */
function selected(way: Way): Fault[] {
  return faultsOn(way, FAULTS).filter((fault) => {
    const ways = WAYS.filter((one) => faultsOn(one, [fault]).length > 0);
    return way === ways[FAULTS.indexOf(fault) % ways.length];
  });
}

/** What the gate tries on one way: a file for each, so that they run side by side. */
export function defineSelection(name: Way['name'], more: Partial<Column> = {}): void {
  const way = WAYS.find((one) => one.name === name);
  if (!way) throw new Error(`there is no way ${name}`);
  defineTable([
    { way, faults: selected(way), locked: [], lockedMs: 3_000, frozen: [], settles: false, ...more },
  ]);
}

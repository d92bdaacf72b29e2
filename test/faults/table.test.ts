import { type Fault, faultsOn } from './fault.ts';
import { FAULTS } from './faults.ts';
import { defineTable } from './table.ts';
import { WAYS, type Way } from './ways.ts';
import { AUDIT_ENTRY, FREEZABLE, LOCKED } from './works.ts';

/** Each fault on two ways: on the plainest that has it, and on another, these in turn. The nightly table has all. */
function selected(way: Way): Fault[] {
  return faultsOn(way, FAULTS).filter((fault) => {
    const [first, ...others] = WAYS.filter((one) => faultsOn(one, [fault]).length > 0);
    return way === first || way === others[FAULTS.indexOf(fault) % others.length];
  });
}

defineTable(
  WAYS.map((way) => ({
    way,
    faults: selected(way),
    locked: way.pooled === way.tls ? LOCKED : [],
    lockedMs: 3_000,
    frozen: way.pooled === way.tls ? (way.pooled ? [AUDIT_ENTRY] : FREEZABLE) : [],
    settles: !way.pooled && !way.tls,
  })),
);

import { faultsOn } from './fault.ts';
import { FAULTS } from './faults.ts';
import { defineTable } from './table.ts';
import { WAYS } from './ways.ts';
import { FREEZABLE, FREEZABLE_AT_NIGHT, LOCKED } from './works.ts';

defineTable(
  WAYS.map((way) => ({
    way,
    faults: faultsOn(way, FAULTS),
    locked: LOCKED,
    lockedMs: 30_000,
    frozen: [...FREEZABLE, ...FREEZABLE_AT_NIGHT],
    settles: true,
  })),
);

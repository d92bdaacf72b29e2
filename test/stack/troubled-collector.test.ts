import { defineHostileDrills } from './pipeline/hostile-drills.ts';
import { defineOutageDrills } from './pipeline/outage-drills.ts';
import { withHealthyOne } from './pipeline/troubled.ts';

// One that hangs, one whose refusals ask for another attempt, and a real one that dies. The nightly file has the others.
withHealthyOne('A collector in trouble, and a healthy one in turn with it');
defineHostileDrills('mute', 'unavailable');
defineOutageDrills('killed');

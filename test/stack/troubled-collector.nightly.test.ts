import { defineHostileDrills } from './pipeline/hostile-drills.ts';
import { defineOutageDrills } from './pipeline/outage-drills.ts';
import { withHealthyOne } from './pipeline/troubled.ts';

withHealthyOne('A collector in trouble, and a healthy one in turn with it');
defineHostileDrills('throttling', 'garbage', 'slow');
defineOutageDrills('absent at the start', 'restarted');

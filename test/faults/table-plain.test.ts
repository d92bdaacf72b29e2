import { defineSelection } from './selection.ts';
import { FREEZABLE } from './works.ts';

defineSelection('plain', { frozen: FREEZABLE, settles: true });

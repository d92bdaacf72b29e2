import { defineSelection } from './selection.ts';
import { LOCKED } from './works.ts';

defineSelection('TLS', { locked: LOCKED });

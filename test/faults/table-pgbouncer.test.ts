import { defineSelection } from './selection.ts';

defineSelection('PgBouncer');

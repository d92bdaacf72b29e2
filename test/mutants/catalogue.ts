import { ANOMALIES } from './anomalies.ts';
import { CAPABILITIES } from './capabilities.ts';
import { MEASURED } from './measured.ts';
import type { Mutant } from './mutant.ts';
import { STORED } from './stored.ts';
import { TOLD } from './told.ts';

export const MUTANTS: readonly Mutant[] = [...STORED, ...TOLD, ...CAPABILITIES, ...ANOMALIES, ...MEASURED];

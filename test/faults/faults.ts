import type { Fault } from './fault.ts';
import { LOGIN_FAULTS } from './login-faults.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { SERVER_FAULTS } from './server-faults.ts';

export const FAULTS: readonly Fault[] = [...SERVER_FAULTS, ...LOGIN_FAULTS, ...NETWORK_FAULTS];

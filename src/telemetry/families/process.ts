import type { Family } from './family.ts';

/** The process, as every client library of Prometheus tells it; `instrumentation/` observes it. */
export const PROCESS_FAMILIES = {
  cpu: {
    name: 'process_cpu_seconds_total',
    instrument: 'process.cpu.time',
    kind: 'observableCounter',
    unit: 's',
    help: 'Total user and system CPU time spent in seconds.',
    labels: {},
  },
  residentMemory: {
    name: 'process_resident_memory_bytes',
    instrument: 'process.memory.usage',
    kind: 'observableGauge',
    unit: 'By',
    help: 'Resident memory size in bytes.',
    labels: {},
  },
  openDescriptors: {
    name: 'process_open_fds',
    instrument: 'process.unix.file_descriptor.count',
    kind: 'observableGauge',
    unit: '{file_descriptor}',
    help: 'Number of open file descriptors.',
    note: 'Only on Linux, like their limit.',
    labels: {},
  },
  mostDescriptors: {
    name: 'process_max_fds',
    instrument: 'process.unix.file_descriptor.limit',
    kind: 'observableGauge',
    unit: '{file_descriptor}',
    help: 'Maximum number of open file descriptors.',
    labels: {},
  },
  startTime: {
    name: 'process_start_time_seconds',
    instrument: 'process.start_time',
    kind: 'observableGauge',
    unit: 's',
    help: 'Start time of the process since unix epoch in seconds.',
    labels: {},
  },
} as const satisfies Record<string, Family>;

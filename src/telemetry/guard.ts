/** Runs telemetry so that its faults stay its own, and counts them. */
export interface Guard {
  /** Runs `record`; whatever it throws is swallowed and counted. A fault in telemetry never fails a request. */
  run(record: () => void): void;
  /** Faults swallowed so far. A plain number, because the meter may be the very thing that throws. */
  faults(): number;
}

/** Makes the one guard that every recording function of `src/telemetry` goes through. */
export function createGuard(): Guard {
  let faults = 0;
  return {
    run(record) {
      try {
        record();
      } catch {
        faults += 1;
      }
    },
    faults: () => faults,
  };
}

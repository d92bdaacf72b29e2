/** Requests that are being worked on, whether or not their callers are still there. */
export interface UnderWay {
  /** Marks the start of a request. The returned function marks its end. */
  begin(): () => void;
  /** Resolves when there is none. */
  idle(): Promise<void>;
}

/** Makes the one tally of a service: it may end its database and its telemetry when this is idle. */
export function createUnderWay(): UnderWay {
  let count = 0;
  let waiting: (() => void)[] = [];
  return {
    begin() {
      count += 1;
      return () => {
        count -= 1;
        if (count > 0) return;
        for (const resolve of waiting) resolve();
        waiting = [];
      };
    },
    idle: () =>
      count === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push(resolve);
          }),
  };
}

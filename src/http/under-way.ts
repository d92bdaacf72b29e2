/** Requests that are being worked on, whether or not their callers are still there. */
export interface UnderWay {
  /** Marks the start of a request. The returned function marks its end. */
  begin(): () => void;
  /** Resolves when no request is being worked on. */
  idle(): Promise<void>;
}

/** Counts the requests of the service, which ends its database and telemetry only when this is idle. */
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

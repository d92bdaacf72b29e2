/** A queue of queues, one for each tenant. A tenant with many waiting does not delay one with few. */
export interface FairQueue<T> {
  readonly size: number;
  /** How many of this tenant wait. */
  of(tenant: string): number;
  add(tenant: string, waiter: T): void;
  remove(tenant: string, waiter: T): void;
  /** Takes the first waiter of the next tenant in turn that `eligible` admits. */
  take(eligible: (tenant: string) => boolean): T | undefined;
  /** Takes all. */
  drain(): T[];
}

export function createFairQueue<T>(): FairQueue<T> {
  // A Map keeps insertion order. A tenant that was served moves behind the others.
  const tenants = new Map<string, Set<T>>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    of: (tenant) => tenants.get(tenant)?.size ?? 0,
    add(tenant, waiter) {
      const waiters = tenants.get(tenant);
      if (waiters) waiters.add(waiter);
      else tenants.set(tenant, new Set([waiter]));
      size++;
    },
    remove(tenant, waiter) {
      const waiters = tenants.get(tenant);
      if (!waiters?.delete(waiter)) return;
      size--;
      if (waiters.size === 0) tenants.delete(tenant);
    },
    take(eligible) {
      for (const [tenant, waiters] of tenants) {
        if (!eligible(tenant)) continue;
        const [first] = waiters;
        if (first === undefined) continue;
        waiters.delete(first);
        size--;
        tenants.delete(tenant);
        if (waiters.size > 0) tenants.set(tenant, waiters);
        return first;
      }
      return undefined;
    },
    drain() {
      const all = [...tenants.values()].flatMap((waiters) => [...waiters]);
      tenants.clear();
      size = 0;
      return all;
    },
  };
}

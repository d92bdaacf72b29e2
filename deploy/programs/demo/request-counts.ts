/** The purpose of a request: one line of the table that the demo prints. */
export type Act = string;

/**
 * The outcome of one request. `denied`, `valid` and `invalid` are answers of particular interest and counted
 * separately.
 */
export type Outcome =
  | 'ok'
  | 'valid'
  | 'invalid'
  | 'denied'
  | 'refused'
  | 'unauthorized'
  | 'limited'
  | 'failed'
  | 'no answer';

/** Counts the demo's requests by act and outcome. */
export class RequestCounts {
  readonly #counts = new Map<Act, Map<Outcome, number>>();
  requests = 0;

  add(act: Act, outcome: Outcome): void {
    const outcomes = this.#counts.get(act) ?? new Map<Outcome, number>();
    this.#counts.set(act, outcomes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.requests++;
  }

  /** The requests of one act, or of all acts, with one of the outcomes. */
  of(act: Act | null, ...outcomes: readonly Outcome[]): number {
    let sum = 0;
    for (const [name, counts] of this.#counts)
      if (act === null || act === name) for (const outcome of outcomes) sum += counts.get(outcome) ?? 0;
    return sum;
  }

  /** Every act with each of its outcomes, in alphabetical order of the acts. */
  rows(): { act: Act; outcome: Outcome; count: number }[] {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([act, counts]) => [...counts].map(([outcome, count]) => ({ act, outcome, count })));
  }
}

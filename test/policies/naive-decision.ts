/** A policy as the evaluator of the tests sees it; `age`: the greater, the older. */
export interface Rule {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly priority: number;
  readonly age: number;
  readonly agentId: string | null;
  readonly principalId: string | null;
  readonly scopes: readonly string[] | null;
  readonly timeOfDayStart: string | null;
  readonly timeOfDayEnd: string | null;
}

export interface Question {
  readonly agentId: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly at: Date;
}

/** The contract read aloud, without a thought for speed: the rule that decides, or undefined. */
export function decide(rules: readonly Rule[], question: Question): Rule | undefined {
  const matching = rules.filter((rule) => matches(rule, question));
  const denying = matching.filter(({ effect }) => effect === 'deny');
  const [first] = [...(denying.length > 0 ? denying : matching)].sort(
    (a, b) => b.priority - a.priority || b.age - a.age || (a.id < b.id ? -1 : 1),
  );
  return first;
}

function matches(rule: Rule, { agentId, principalId, scopes, at }: Question): boolean {
  if (rule.agentId !== null && rule.agentId !== agentId) return false;
  if (rule.principalId !== null && rule.principalId !== principalId) return false;
  if (rule.scopes !== null) {
    const named = scopes.filter((scope) => rule.scopes?.includes(scope)).length;
    if (rule.effect === 'deny' ? named === 0 : named < scopes.length) return false;
  }
  return minutesOf(rule).has(at.toISOString().slice(11, 16));
}

/** Every minute of the window, counted off one by one from its beginning. */
function minutesOf({ timeOfDayStart, timeOfDayEnd }: Rule): Set<string> {
  const minutes = new Set<string>();
  const end = timeOfDayEnd ?? '00:00';
  let minute = timeOfDayStart ?? '00:00';
  do {
    minutes.add(minute);
    const next = new Date(Date.parse(`2026-01-01T${minute}:00Z`) + 60_000);
    minute = next.toISOString().slice(11, 16);
  } while (minute !== end);
  return minutes;
}

import type { Ask, Caller, Status } from '../protocol.ts';

/** What a policy says; a condition that is null matches everything. Windows of the day are for test/policies. */
export interface Terms {
  readonly effect: 'allow' | 'deny';
  readonly priority: number;
  readonly agent: number | null;
  readonly principal: number | null;
  readonly scopes: readonly string[] | null;
}

/** Numbered from the oldest on. */
export interface Policy extends Terms {
  readonly number: number;
  readonly developer: number;
}

export interface PolicyActs {
  add(developer: number, terms: Terms): Status;
  change(developer: number, policy: number, change: Partial<Terms>): Status;
  remove(developer: number, policy: number): Status;
}

/** The policies of a run; one that is gone leaves null behind. */
export class PolicyModel implements PolicyActs {
  readonly all: (Policy | null)[] = [];
  private readonly owns: (caller: Caller) => boolean;

  /** @param owns whether the developer has such an agent */
  constructor(owns: (caller: Caller) => boolean) {
    this.owns = owns;
  }

  add(developer: number, terms: Terms): number {
    if (!this.mayName(developer, terms.agent)) return 404;
    this.all.push({ ...terms, number: this.all.length, developer });
    return 201;
  }

  change(developer: number, policy: number, change: Partial<Terms>): number {
    const found = this.all[policy];
    if (found?.developer !== developer || !this.mayName(developer, change.agent ?? null)) return 404;
    this.all[policy] = { ...found, ...change };
    return 200;
  }

  remove(developer: number, policy: number): number {
    if (this.all[policy]?.developer !== developer) return 404;
    this.all[policy] = null;
    return 204;
  }

  /** Policies about an agent go with it. */
  forgetAgent(agent: number): void {
    for (const [number, policy] of this.all.entries()) if (policy?.agent === agent) this.all[number] = null;
  }

  /** As they are listed: the greatest priority first, then the oldest. */
  of(developer: number): Policy[] {
    const own = this.all.filter((policy) => policy?.developer === developer) as Policy[];
    return own.sort((a, b) => b.priority - a.priority || a.number - b.number);
  }

  /** The policy that decides: denials are looked at first. */
  decide({ developer, agent }: Caller, { principal, scopes }: Ask): Policy | undefined {
    const matching = this.of(developer).filter(
      (policy) =>
        (policy.agent === null || policy.agent === agent) &&
        (policy.principal === null || policy.principal === principal) &&
        coversScopes(policy, scopes),
    );
    return matching.find(({ effect }) => effect === 'deny') ?? matching[0];
  }

  private mayName(developer: number, agent: number | null): boolean {
    return agent === null || this.owns({ developer, agent });
  }
}

/** A permission must name every scope; for a prohibition one is enough. */
function coversScopes({ effect, scopes: named }: Policy, asked: readonly string[]): boolean {
  if (named === null) return true;
  const isNamed = (scope: string) => named.includes(scope);
  return effect === 'deny' ? asked.some(isNamed) : asked.every(isNamed);
}

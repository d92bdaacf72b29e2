import fc from 'fast-check';
import { expect } from 'vitest';
import { at, which } from './at.ts';
import { type Before, compare } from './compare.ts';
import type { Model } from './model.ts';
import type { Caller, Protocol } from './protocol.ts';
import type { Real } from './real.ts';
import type { KindOf } from './situations.ts';

/** The service as a run sees it. */
export interface System {
  readonly real: Real;
  readonly before: Before;
  /** Everything is compared after so many steps; what went wrong before shows then, too. */
  readonly compareEvery: number;
  steps: number;
}
export type Command = fc.AsyncCommand<Model, System>;

/** Picks the numbers of things that there are when the command's turn comes; 0 is the simplest choice. */
export type Pick = <T>(from: readonly T[]) => T | undefined;

interface Act {
  /** One line for the report of a failure. */
  readonly name: string;
  /** Done to the model and to the service: both must answer with the same status. */
  act?(on: Protocol): number | Promise<number>;
  /** What there is to look at besides. */
  look?(model: Model, real: Real): Promise<void>;
}

/**
 * A command whose act is chosen when its turn comes, from what there is then; it is passed over when there is nothing.
 * The choice is a function of the state and of `luck`, so that a failure shrinks and can be repeated.
 */
export const command = (
  name: string,
  choose: (model: Model, pick: Pick) => Act | null,
): fc.Arbitrary<Command> =>
  fc.array(fc.nat({ max: 59 }), { minLength: 12, maxLength: 12 }).map((luck) => {
    const actOn = (model: Readonly<Model>) => choose(model as Model, picker(luck));
    let told = name;
    return {
      check: (model) => actOn(model) !== null,
      async run(model, system) {
        const { real, before, compareEvery } = system;
        const act = actOn(model);
        if (!act) return;
        told = act.name;
        const expected = act.act?.(model);
        expect(await act.act?.(real), `status of ${act.name}`).toBe(expected);
        await act.look?.(model, real);
        if (++system.steps % compareEvery === 0) await compare(model, real, before);
      },
      toString: () => told,
    };
  });

const picker = (luck: readonly number[]): Pick => {
  let turn = 0;
  return (from) => from[(luck[turn++ % luck.length] ?? 0) % Math.max(1, from.length)];
};

/** By turns what the act can succeed on, and a thing of any kind: first the kind is chosen, then one of it. */
export function someOf(
  model: Model,
  pick: Pick,
  kindOf: KindOf,
  all: readonly number[],
  isAble: (index: number) => boolean,
): number | undefined {
  const kinds = [...Map.groupBy(all, (index) => kindOf(model, index)).values()];
  const ofAnyKind = pick(pick(kinds) ?? []);
  const able = pick(all.filter(isAble));
  return pick([able ?? ofAnyKind, ofAnyKind]);
}

export const developersOf = (model: Model) => which(model.modes);
const ALWAYS = 9;

/** True one time in ten. */
export const seldom = (pick: Pick): boolean =>
  pick(Array.from({ length: ALWAYS + 1 }, (_, n) => n)) === ALWAYS;

/** Mostly the agent itself under its developer's key; one time in ten each another agent, another developer. */
export function caller(model: Model, pick: Pick, agent: number): Caller {
  const own = { developer: at(model.agents, agent).developer, agent };
  const stray = pick(Array.from({ length: ALWAYS + 1 }, (_, n) => n));
  if (stray === ALWAYS) return { ...own, agent: pick(which(model.agents)) ?? agent };
  if (stray === ALWAYS - 1) return { ...own, developer: pick(developersOf(model)) ?? own.developer };
  return own;
}

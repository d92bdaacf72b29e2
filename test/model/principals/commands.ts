import { at, which } from '../at.ts';
import { command, developersOf, seldom, someOf } from '../command.ts';
import { PRINCIPALS } from '../given.ts';
import { grantKind } from '../situations.ts';

/** By turns the principal whose grant it is and any; one time in ten any developer's. */
export const takeBack = command('take back', (model, pick) => {
  const grant = someOf(model, pick, grantKind, which(model.grants), (n) => model.statusOf(n) === 'active');
  if (grant === undefined) return null;
  const own = { developer: model.developerOf(grant) ?? 0, principal: at(model.grants, grant).principal };
  const principal = pick([own.principal, ...PRINCIPALS]) ?? own.principal;
  const developer = seldom(pick) ? (pick(developersOf(model)) ?? 0) : own.developer;
  return {
    name: `principal ${principal} of developer ${developer} takes back grant ${grant}`,
    act: (on) => on.takeBack({ developer, principal }, grant),
  };
});

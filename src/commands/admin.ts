/** `npm run admin -- developers|agents|grants …`: what an operator does without the key of a developer. */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../clock.ts';
import { parseFault } from '../command-line-error.ts';
import { loadConfig } from '../config.ts';
import type { Database } from '../db/client.ts';
import { changeAgentStatus, changeDeveloper, revokeGrantNow } from '../operators/act.ts';
import {
  agentById,
  developerById,
  findAgents,
  findDevelopers,
  findGrants,
  grantById,
} from '../operators/store.ts';
import { agentLine, developerLine, grantLine } from './admin-lines.ts';
import { CommandError, runCommand, usageError } from './run-command.ts';
import { withDatabase } from './with-database.ts';

const USAGE = `usage: npm run admin -- developers|agents|grants <command> [--yes]

Acts on the database (DATABASE_URL, or the embedded one), also beside a running service. What is changed holds at once on every
replica. A running replica counts and logs it within seconds.
Exit codes: 0 done; 1 it failed, or was not wanted; 2 bad usage; 78 bad configuration.

  developers list [<filter>]       newest first; by id, or by a part of name or email
  developers suspend|resume <id>   the API keys of a suspended developer are refused with 401; its grants stay as they are
  agents list [<filter>]           by id or developer, or by a part of the name
  agents suspend|resume <id>       as PATCH /v1/agents/:id does
  grants list <filter>             by id, agent, developer or principal
  grants revoke <id>               with everything delegated from it; this cannot be undone
  --yes                            does not ask
  --help
`;
const MOST_LISTED = 100;

type Print = (line: string) => void;
interface Order {
  readonly what: 'developers' | 'agents' | 'grants';
  readonly command: string;
  readonly word: string | null;
  readonly yes: boolean;
}
const COMMANDS = {
  developers: ['list', 'suspend', 'resume'],
  agents: ['list', 'suspend', 'resume'],
  grants: ['list', 'revoke'],
} as const;

await runCommand(async (print) => {
  const order = readOrder(process.argv.slice(2));
  if (!order) return print(USAGE.trimEnd());
  await withDatabase(loadConfig(process.env, { sealing: false }), (db) => {
    const deps = { db, clock: systemClock };
    return order.command === 'list' ? list(db, order, print) : act(deps, order, print);
  });
});

/** @returns null when help is asked for */
function readOrder(args: readonly string[]): Order | null {
  const { values, positionals } = parsed(args);
  if (values.help) return null;
  const [what, command, word = null, ...more] = positionals;
  if (what !== 'developers' && what !== 'agents' && what !== 'grants')
    throw usageError('The first word must be developers, agents or grants');
  const commands: readonly string[] = COMMANDS[what];
  if (command === undefined || !commands.includes(command) || more.length > 0)
    throw usageError(`The command of ${what} must be ${commands.join(' or ')}`);
  if (word === null && command !== 'list') throw usageError(`${what} ${command} wants an id`);
  if (word === null && what === 'grants') throw usageError('grants list wants an id of what they belong to');
  return { what, command, word, yes: values.yes };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { yes: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
  } catch (error) {
    throw usageError(parseFault(error));
  }
}

async function list(db: Database, { what, word }: Order, print: Print): Promise<void> {
  const lines = await linesOf(db, what, word);
  for (const line of lines.slice(0, MOST_LISTED)) print(line);
  if (lines.length === 0) print(`no ${what}${word === null ? '' : ` for ${word}`}`);
  if (lines.length > MOST_LISTED) print(`and more: only the newest ${MOST_LISTED} are listed`);
}

async function linesOf(db: Database, what: Order['what'], word: string | null): Promise<string[]> {
  const limit = MOST_LISTED + 1;
  if (what === 'developers') return (await findDevelopers(db, word, limit)).map(developerLine);
  if (what === 'agents') return (await findAgents(db, word, limit)).map(agentLine);
  const now = new Date(systemClock.now());
  return (await findGrants(db, word ?? '', limit)).map((grant) => grantLine(grant, now));
}

interface ActDeps {
  readonly db: Database;
  readonly clock: typeof systemClock;
}

async function act(deps: ActDeps, { what, command, word, yes }: Order, print: Print): Promise<void> {
  const id = word ?? '';
  const change = command === 'suspend' ? 'suspended' : 'resumed';
  const confirm = (line: string) => confirmed(`${command}: ${line}`, yes, print);
  if (what === 'developers') {
    const developer = found(await developerById(deps.db, id), `developer ${id}`);
    if ((developer.suspendedAt !== null) === (change === 'suspended'))
      return print(`${id} is ${developer.suspendedAt ? 'suspended' : 'active'} already`);
    await confirm(developerLine(developer));
    return print(
      (await changeDeveloper(deps, id, change)) ? `${id} is ${change}` : `${id} was changed meanwhile`,
    );
  }
  if (what === 'agents') {
    const agent = found(await agentById(deps.db, id), `agent ${id}`);
    if ((agent.status === 'suspended') === (change === 'suspended'))
      return print(`${id} is ${agent.status} already`);
    await confirm(agentLine(agent));
    return print((await changeAgentStatus(deps, agent, change)) ? `${id} is ${change}` : `${id} is gone`);
  }
  const grant = found(await grantById(deps.db, id), `grant ${id}`);
  const now = new Date(deps.clock.now());
  if (grant.status === 'revoked' || grant.expiresAt <= now)
    return print(`${grantLine(grant, now)}: nothing to revoke`);
  await confirm(grantLine(grant, now));
  const revoked = await revokeGrantNow(deps, grant);
  print(revoked ? `${id} is revoked, with everything delegated from it` : `${id} was revoked meanwhile`);
}

function found<T>(row: T | undefined, what: string): T {
  if (!row) throw new Error(`there is no ${what}`);
  return row;
}

/** @throws when nobody can be asked, and when the answer is not yes */
async function confirmed(question: string, yes: boolean, print: Print): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw usageError('Nobody can be asked here: add --yes');
  print(question);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('yes to go on: ');
  terminal.close();
  if (answer.trim() !== 'yes') throw new CommandError('nothing was changed', 1);
}

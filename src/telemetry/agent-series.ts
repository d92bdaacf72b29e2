import { type Attributes, context } from '@opentelemetry/api';
import { OTHER_AGENT } from '../label-values.ts';
import { outsideRequests } from '../request-scope.ts';
import { within } from '../within.ts';
import type { Guard } from './guard.ts';

/** The position of an agent among all that were ever counted; 1 for the first. */
interface Position {
  readonly agentId: string;
  readonly position: number;
}

/** How the database decides which agents have series of their own. */
export interface Admission {
  /** Agents with a position up to this one have series of their own. */
  readonly limit: number;
  /** How many positions there are. Once they are taken, an unknown agent can never have one. */
  readonly positions: number;
  /** The positions that are taken already. */
  readonly known: readonly Position[];
  /** The positions of these agents; each takes one if it has none. An agent without a position is not in the answer. */
  take(agentIds: readonly string[]): Promise<readonly Position[]>;
  /** `take` has failed. It is repeated. */
  onError(error: unknown): void;
}

/** Says under which `agent_id` the numbers of an agent are recorded: its own, or `other`. */
export interface AgentSeries {
  /**
   * Calls `record` with the label: at once for an agent that is known, and otherwise when the database has decided. What is
   * recorded never waits for it. Before `open`, every agent has series of its own.
   */
  label<A extends Attributes>(attributes: A, record: (labelled: A) => void): void;
  open(admission: Admission): void;
  /** Resolves when nothing waits for the database. Never rejects. */
  settled(): Promise<void>;
  /** Waits for what the database still has to decide, at most a second or `timeoutMs`. The rest is recorded as `other`. */
  close(timeoutMs: number): Promise<void>;
}

const RETRY_MS = 500;
/** A database that is away does not hold up the end of the process. */
const CLOSE_MS = 1000;
/** More recordings than this wait only while the database is away. It bounds the memory that they take. */
const MAX_WAITING = 10_000;

interface Waiting {
  readonly agentId: string;
  readonly record: (label: string) => void;
}

/**
 * An agent keeps one label from its first event to its last, on every replica. So a replica that meets an agent for the first
 * time does not guess: it asks the database, in the background, and records the event when it has the answer. It is a matter of
 * milliseconds, and happens once for each agent and process. A guess would count the event as `other`, and the next one under
 * the agent's own label, and no sum over replicas would be right.
 *
 * Only where more than 10,000 recordings wait, and where the process ends, is the rest `other` although it may have a label.
 */
export function createAgentSeries(guard: Guard): AgentSeries {
  let admission: Admission | null = null;
  /** Agents that have a position, and whether it is within the limit. */
  const hasOwn = new Map<string, boolean>();
  let waiting: Waiting[] = [];
  let flight: Promise<void> | null = null;
  let wakeUp: (() => void) | null = null;
  let closed = false;

  const labelOf = (agentId: string) => (hasOwn.get(agentId) ? agentId : OTHER_AGENT);
  const learn = (positions: readonly Position[], limit: number) => {
    for (const { agentId, position } of positions) hasOwn.set(agentId, position <= limit);
  };
  const release = (agentIds: ReadonlySet<string> | null) => {
    const decided = waiting.filter(({ agentId }) => agentIds === null || agentIds.has(agentId));
    waiting = waiting.filter(({ agentId }) => agentIds !== null && !agentIds.has(agentId));
    for (const { agentId, record } of decided) guard.run(() => record(labelOf(agentId)));
  };
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      timer.unref();
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const decide = async ({ limit, take, onError }: Admission) => {
    while (waiting.length > 0 && !closed) {
      const agentIds = new Set(waiting.map(({ agentId }) => agentId));
      try {
        learn(await take([...agentIds]), limit);
        release(agentIds);
      } catch (error) {
        onError(error);
        await pause();
      }
    }
  };

  return {
    label(attributes, record) {
      const { agent_id: agentId } = attributes;
      if (typeof agentId !== 'string' || admission === null) return record(attributes);
      if (hasOwn.get(agentId)) return record(attributes);
      const labelled = (label: string) => record({ ...attributes, agent_id: label });
      const decided = hasOwn.has(agentId) || hasOwn.size >= admission.positions;
      if (decided || closed || waiting.length >= MAX_WAITING) return labelled(OTHER_AGENT);
      // In the context of the event, because what is recorded may refer to its span.
      const ofEvent = context.active();
      waiting.push({ agentId, record: (label) => context.with(ofEvent, () => labelled(label)) });
      const asked = admission;
      flight ??= outsideRequests(() => decide(asked)).finally(() => {
        flight = null;
      });
    },
    open(opened) {
      admission = opened;
      learn(opened.known, opened.limit);
    },
    settled: () => flight ?? Promise.resolve(),
    async close(timeoutMs) {
      if (flight) await within(Math.min(timeoutMs, CLOSE_MS), flight);
      closed = true;
      wakeUp?.();
      release(null);
    },
  };
}

import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Database } from './db/client.ts';
import type { Ids } from './ids.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

/**
 * What use cases may ask for. Each names the few members that it needs, and adds what its own rooms make (the key ring,
 * the reader of grant tokens, the sealer). Everything that touches the world outside comes in this way, so tests can put
 * a use case together.
 */
export interface Deps {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly telemetry: Telemetry;
  readonly activity: AgentActivity;
  /** Call it after webhook deliveries were committed: they are then made without delay. Never throws. */
  deliveriesDue(): void;
  /** Base of the URLs that are given out, without a trailing slash. It is known once the service listens. */
  baseUrl(): string;
  /** `iss` of grant tokens. */
  issuer(): string;
}

/** Hears what agents do, for the detection of anomalies. Neither call throws, and neither waits. */
export interface AgentActivity {
  /** The agent asked for something, was given something, or something of its went wrong. */
  agentActed(agentId: string): void;
  /**
   * An exchange was refused. The count stays in memory for a second or two: a crash, or a database that fails just then,
   * may lose it. Only advice depends on it.
   */
  exchangeFailed(agentId: string): void;
}

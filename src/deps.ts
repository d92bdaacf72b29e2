import type { AnomalyWatch } from './anomalies/watch.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Database } from './db/client.ts';
import type { Ids } from './ids.ts';
import type { KeyRing } from './keys/key-ring.ts';
import type { ReadGrantToken } from './keys/read-grant-token.ts';
import type { Sealer } from './keys/sealing.ts';
import type { SessionTokens } from './principal-sessions/session-token.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

/** What use cases work with. Everything that touches the world outside is in here, so that tests can put it together. */
export interface Deps {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly keys: KeyRing;
  readonly readGrantToken: ReadGrantToken;
  readonly sessionTokens: SessionTokens;
  readonly telemetry: Telemetry;
  /** Encrypts what is a secret at rest. */
  readonly sealer: Sealer;
  /** To be called when webhook deliveries were committed, so that they are made without delay. Never throws. */
  deliveriesDue(): void;
  /** Is told what agents do, and looks for anomalies later. */
  readonly anomalies: Pick<AnomalyWatch, 'agentActed' | 'exchangeFailed'>;
  /** Base of the URLs that are given out, without a trailing slash; known once the service listens. */
  baseUrl(): string;
  /** `iss` of grant tokens. */
  issuer(): string;
}

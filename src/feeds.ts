import type { Deps } from './deps.ts';
import { authenticate } from './developers/authenticate.ts';
import { createEventFollower, type EventFollower } from './events/follow-events.ts';
import { createHeldConnections, type HeldConnections } from './feed/held-connections.ts';
import { isRefused } from './outcome.ts';
import { createRevocationFollower, type RevocationFollower } from './revocations/follow-feed.ts';

/** What the service keeps for clients that follow feeds. */
export interface Feeds {
  readonly revocations: RevocationFollower;
  readonly eventStream: EventFollower;
  readonly heldConnections: HeldConnections;
  start(): void;
}

/** Puts the feeds together. A connection ends when its API key is no longer one of its developer. */
export function createFeeds(deps: Pick<Deps, 'config' | 'db' | 'clock' | 'telemetry'>): Feeds {
  const revocations = createRevocationFollower(deps);
  const heldConnections = createHeldConnections({
    max: deps.config.maxStreams,
    isValid: async ({ keyHash, developerId }) => {
      const owner = await authenticate(deps, { keyHash });
      return !isRefused(owner) && owner.value.id === developerId;
    },
  });
  const eventStream = createEventFollower(deps, heldConnections);
  return {
    revocations,
    eventStream,
    heldConnections,
    start() {
      revocations.start();
      eventStream.start();
      heldConnections.start();
    },
  };
}

/** Attempts under way at once on one replica: a hanging receiver costs a socket and no more. */
export const MAX_UNDER_WAY = 1000;
/** Of these for one webhook, over all replicas: a developer whose twenty webhooks all hang takes a fifth. */
const MAX_OF_ONE = 10;

/**
 * How many attempts one webhook may have under way when another is to begin, over all replicas. Where half of the places of this
 * replica are taken, it is one: five developers whose receivers hang then do not take the places of all others, because each
 * further developer takes twenty at most.
 */
export const attemptsOfOneWebhook = (underWay: number): number =>
  underWay < MAX_UNDER_WAY / 2 ? MAX_OF_ONE : 1;

/** The events that a webhook can receive. */
export const EVENT_TYPES = ['grant.created', 'grant.revoked', 'token.issued'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

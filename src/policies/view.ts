import { Type } from 'typebox';
import { orNull, Timestamp } from '../http/schemas.ts';

export const Effect = Type.Enum(['allow', 'deny']);
export const TimeOfDay = Type.String({
  pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
  description: 'HH:mm, UTC',
  examples: ['22:00'],
});

/** A policy in the form of the answers. */
export const PolicyView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  effect: Effect,
  priority: Type.Integer(),
  agentId: orNull(Type.String()),
  principalId: orNull(Type.String()),
  scopes: orNull(Type.Array(Type.String())),
  timeOfDayStart: orNull(TimeOfDay),
  timeOfDayEnd: orNull(TimeOfDay),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});

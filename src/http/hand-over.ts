import type { Request, Response } from 'express';
import { outsideRequests } from '../request-scope.ts';
import { type Reply, send } from './reply.ts';

/** Lets a reply that takes over have the answer: a stream, or one that waits. Its work belongs to no request any more. */
export async function handOver(
  reply: Reply,
  { req, res, endMeasurement }: { req: Request; res: Response; endMeasurement: (waits: boolean) => void },
): Promise<void> {
  // HEAD asks for the headers only.
  if (req.method === 'HEAD') return send(req, res, reply);
  endMeasurement(reply.waits === true);
  if (!res.destroyed) await outsideRequests(() => reply.takeOver?.(req, res));
}

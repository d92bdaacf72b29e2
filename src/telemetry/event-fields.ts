import type { LimiterName } from '../config.ts';
import type {
  AnomalySeverity,
  AnomalyType,
  AttemptOutcome,
  Decision,
  VerificationFailure,
} from '../label-values.ts';

// What the events of the domain tell.

/** Who brought a revocation about. */
export type RevokedBy = 'developer' | 'principal' | 'code_replay' | 'refresh_reuse' | 'agent_deleted';

export interface GrantIds {
  readonly grantId: string;
  readonly agentId: string;
  readonly developerId: string;
}
export interface GrantCreated extends GrantIds {
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly origin: 'consent' | 'delegation';
  readonly latencyMs: number;
}
export interface GrantRevoked {
  /** The grant that was named; the others fell with it. */
  readonly grantId: string;
  readonly developerId: string;
  readonly revokedBy: RevokedBy;
  /** Rows revoked beside the named one. */
  readonly cascadeCount: number;
  /** Rows revoked, the named one included, by the agent they belonged to. */
  readonly revokedByAgent: ReadonlyMap<string, number>;
}
export interface TokenVerified {
  readonly grantId: string;
  readonly agentId?: string | undefined;
  readonly developerId: string;
}
export interface TokenVerificationFailed {
  readonly operation: 'verify' | 'introspect';
  readonly reason: VerificationFailure;
  readonly tokenId?: string | undefined;
  /** Only of a token that is the caller's own. */
  readonly grant?: GrantIds | undefined;
}
export interface AuthorizeDenied {
  readonly agentId: string;
  readonly principalId: string;
  readonly reason: string;
  readonly developerId: string;
}
export interface AuthorizationRequested {
  readonly agentId: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly developerId: string;
}
export interface ConsentDecided {
  /** Of the request for authorization. */
  readonly authRequestId: string;
  readonly decision: Decision;
  /** Since the request was made, seconds. */
  readonly waited: number;
  readonly agentId: string;
  readonly principalId: string;
  readonly developerId: string;
}
export interface WebhookAttempted {
  readonly webhookId: string;
  readonly agentId: string;
  readonly developerId: string;
  /** Without query string and userinfo: either may hold a secret. */
  readonly url: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  /** null: there was no answer. */
  readonly statusCode: number | null;
  /** How the delivery has ended with this attempt; null: it goes on, or was removed meanwhile. */
  readonly ended: 'delivered' | 'failed' | null;
}
export interface AnomalyDetected {
  readonly type: AnomalyType;
  readonly severity: AnomalySeverity;
  readonly agentId: string;
}
export interface RateLimitHit {
  readonly ip: string;
  readonly endpoint: LimiterName;
  /** Seconds. */
  readonly retryAfter: number;
}
export interface RequestFailed {
  readonly error: unknown;
  readonly method?: string | undefined;
  /** The template, never the path. */
  readonly route?: string | undefined;
}

// The test files that mutants are to be killed by.

export const MODEL = 'test/model/model.test.ts';
export const SINGLE_USE = 'test/tokens/single-use.test.ts';
export const REFRESH = 'test/tokens/refresh.test.ts';
export const REFRESH_RETRIES = 'test/tokens/refresh-retries.test.ts';
export const DELEGATION = 'test/grants/delegation.test.ts';
export const VERIFY = 'test/tokens/verify.test.ts';
export const CONSENT = 'test/consent/routes.test.ts';
export const RACING_CLAIMS = 'test/races/single-use.test.ts';
export const RACING_REVOCATIONS = 'test/races/revocation.test.ts';
export const RACING_DECISIONS = 'test/races/consent.test.ts';
export const REPLICAS = 'test/races/replicas.test.ts';
export const ENFORCEMENT = 'test/policies/enforcement.test.ts';
export const DELIVERY = 'test/webhooks/delivery.test.ts';
export const ATTEMPTS = 'test/webhooks/attempts.test.ts';
export const SESSIONS = 'test/principal-sessions/routes.test.ts';
export const RULES_OVER_TIME = 'test/anomalies/rules-over-time.test.ts';
export const RULES_OF_SINGLE_FACTS = 'test/anomalies/rules-of-single-facts.test.ts';
export const ANOMALY_DETECTION = 'test/anomalies/detection.test.ts';

import { randomUUID } from 'node:crypto';
import {
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { SERVICE_VERSION } from '../src/version.ts';

/** `service.name` unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says otherwise. */
export const SERVICE_NAME = 'grantex-auth';

/**
 * The sender: `service.name`, `service.version` and a random `service.instance.id`. The standard variables override each. The
 * detectors of host and process are left out, because command lines and paths may hold secrets.
 */
export function createResource(): Resource {
  return resourceFromAttributes({
    'service.name': SERVICE_NAME,
    'service.version': SERVICE_VERSION,
    'service.instance.id': randomUUID(),
  }).merge(detectResources({ detectors: [envDetector] }));
}

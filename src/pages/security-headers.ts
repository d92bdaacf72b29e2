import type { RequestHandler } from 'express';
import helmet from 'helmet';
import { constantHeaders, headersOf } from '../http/headers.ts';

const secure = constantHeaders(
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        'img-src': ["'self'"],
        'connect-src': ["'self'"],
        'base-uri': ["'none'"],
        // Decisions are sent by fetch. Chromium applies form-action to redirects too, so a form that leads back to an app would need it open.
        'form-action': ["'none'"],
        'frame-ancestors': ["'none'"],
        'require-trusted-types-for': ["'script'"],
        'trusted-types': ["'none'"],
      },
    },
    crossOriginEmbedderPolicy: { policy: 'require-corp' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  }),
);

/**
 * Headers of the pages on which a person decides. Scripts, styles, images and requests come only from the page's origin. No
 * other page can frame it or keep a handle on its window. Its URL, whose request id is a secret until the decision, is never
 * sent as a referrer. No cache keeps it. These headers replace those of the whole service.
 */
export const pageSecurity: RequestHandler = (_request, response, next) => {
  Object.assign(headersOf(response), secure, {
    'permissions-policy':
      'camera=(), clipboard-write=(self), geolocation=(), microphone=(), payment=(), usb=()',
  });
  next();
};

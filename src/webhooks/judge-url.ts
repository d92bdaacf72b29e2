import { isIP } from 'node:net';
import { isPublicAddress } from './address.ts';

/** Besides HTTPS's own, only ports where nothing that is below policy (mail, SSH, databases of old) listens. */
const isAllowedPort = (port: string): boolean => port === '' || Number(port) >= 1024;

/** The host of a URL as a socket takes it: IPv6 addresses without brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');

/**
 * Judges a webhook's URL by what it shows itself; no name is looked up. The URL parser has turned addresses in any spelling
 * (decimal, octal, hexadecimal, short, full-width, with a final dot) into the usual one before they are looked at.
 * @returns what is wrong with it; null: nothing
 */
export function faultOfUrl(
  text: string,
  { allowPrivateWebhookHosts }: { allowPrivateWebhookHosts: boolean },
): string | null {
  // The parser would drop these in silence; what is kept is to be what is used.
  if (/[\s\p{Cc}\\]/u.test(text) || !URL.canParse(text)) return 'url is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'url must begin https://';
  if (url.username !== '' || url.password !== '') return 'url must not hold a user name or password';
  if (allowPrivateWebhookHosts) return null;
  if (url.protocol !== 'https:') return 'url must begin https://';
  if (!isAllowedPort(url.port)) return 'url must name port 443 or one from 1024 on';
  const host = hostOf(url);
  if (isIP(host) !== 0 && !isPublicAddress(host)) return 'url names an address that is not public';
  if (/(^|\.)localhost\.?$/.test(host)) return 'url names this machine';
  return null;
}

/** A URL as it may be logged: its query string or user may hold a secret. */
export function loggableUrl(text: string): string {
  const { origin, pathname } = new URL(text);
  return origin + pathname;
}

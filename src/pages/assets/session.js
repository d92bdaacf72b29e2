// The session token comes in the URL's fragment, which no server and no referrer sees. It is taken out of the address bar
// and the history by this file, which imports nothing that could be late or missing, and is kept in memory only.

/** The token of the link that was followed, or null. The address bar is clean afterwards. */
export function takeSession() {
  const token = new URLSearchParams(location.hash.slice(1)).get('session');
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/** The token with which the page was opened. */
export const firstSession = takeSession();

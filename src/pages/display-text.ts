export { displayText, exactText, monogram } from './assets/display-text.js';

/** In characters. */
export const NAME_LIMIT = 80;

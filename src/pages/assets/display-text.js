// Names, descriptions and scopes are chosen by whoever asks for permission. A page that shows them to the person who
// decides must not let them rearrange, hide or crowd out the words around them. Browser and service share this file.

/** How much of a name is shown, in characters. */
export const NAME_LIMIT = 80;
/** And of a scope: it is at most 256 characters, and each may have been spelled out. */
export const SCOPE_LIMIT = 2600;

/** Invisible or direction-changing. The joiners and the emoji selector stay: Persian, Indic scripts and emoji need them. */
const UNWANTED =
  /[[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\u200C\u200D\uFE0F\t\n\r]]/gv;
/**
 * What the eye cannot see or count on, or what could pass for its spelling: invisible characters, white space other than
 * single spaces between words, the fourth combining mark and those after it, and the beginning of `\u{`.
 */
const UNSEEN =
  /[[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]--[ ]]|^ | $|(?<= ) |(?<=\p{M}{3})\p{M}|\\(?=u\{)/gv;

const shorten = (text, max) => {
  const characters = Array.from(text);
  return characters.length <= max
    ? text
    : `${characters
        .slice(0, max - 1)
        .join('')
        .trimEnd()}…`;
};

/**
 * A name or a description for people: controls, bidirectional overrides and invisible characters are dropped, white space
 * becomes single spaces, towers of combining marks are cut, and at most `max` characters remain. `fallback` stands in when
 * nothing visible is left. The result still has to be escaped, and isolated with `<bdi>`.
 */
export function displayText(text, max, fallback = '') {
  const clean = text
    .toWellFormed()
    .replace(UNWANTED, '')
    .replace(/(\p{M}{3})\p{M}+/gu, '$1')
    .replace(/\s+/g, ' ')
    .trim();
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(clean) ? shorten(clean, max) : fallback;
}

/**
 * An identifier exactly as it is compared: nothing is dropped, and what the eye cannot see is spelled out (`\u{202E}`),
 * so that two different identifiers never look the same for want of ink (they may for look-alike letters).
 */
export const exactText = (text) =>
  text.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`);

/** A letter that stands for a name, beside it. */
export const monogram = (text) => /[\p{L}\p{N}]/u.exec(text)?.[0].toUpperCase() ?? '?';

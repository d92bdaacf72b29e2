/** How much of a name is shown, in characters. */
export declare const NAME_LIMIT: number;
/** And of a scope: it is at most 256 characters, and each may have been spelled out. */
export declare const SCOPE_LIMIT: number;

/**
 * A name or a description for people: controls, bidirectional overrides and invisible characters are dropped, white space
 * becomes single spaces, towers of combining marks are cut, and at most `max` characters remain. `fallback` stands in when
 * nothing visible is left. The result still has to be escaped, and isolated with `<bdi>`.
 */
export declare function displayText(text: string, max: number, fallback?: string): string;

/**
 * An identifier exactly as it is compared: nothing is dropped, and what the eye cannot see is spelled out (`\u{202E}`),
 * so that two different identifiers never look the same for want of ink (they may for look-alike letters).
 */
export declare function exactText(text: string): string;

/** A letter that stands for a name, beside it. */
export declare function monogram(text: string): string;

/**
 * What becomes of text that another wrote (names of a model, strings of a manifest, messages of a peer) before a person
 * sees it. Every terminal, log and message goes through here; nothing else decides what may be shown.
 */

/** Names have any length; a message shows both ends of a long one. */
const maxNameLength = 4000;

/** Control characters, format characters (marks of direction, joiners, tags), line separators and halves of pairs. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * What a terminal obeys, orders otherwise, or shows to nobody. Line ends and tabs are part of a text of several lines, and
 * joiners (U+200C, U+200D) of an answer in Persian or with emoji.
 */
const obeyed =
  /(?![\n\t])[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}\u00ad\u200b\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

const escaped = (found: string): string =>
  [...Array(found.length).keys()].map((k) => `\\u${found.charCodeAt(k).toString(16).padStart(4, "0")}`).join("");

/** A name on one line: characters that are not seen are written as escapes. */
export function printable(text: string): string {
  const cut =
    text.length > maxNameLength ? `${text.slice(0, maxNameLength / 2)} … ${text.slice(-maxNameLength / 2)}` : text;
  return cut.replace(unseen, escaped);
}

/** Data with every string, keys included, as it may stand in a line. */
export function printableData<T>(data: T): T {
  const of = (value: unknown): unknown => {
    if (typeof value === "string") return printable(value);
    if (Array.isArray(value)) return value.map(of);
    if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [printable(key), of(item)]));
  };
  return of(data) as T;
}

/**
 * A whole output, text or JSON: no escape sequence (our own outputs have no styles), no control character, no mark of
 * direction. In JSON the escapes are those of its strings, so that it reads back as the same data.
 */
export const terminalText = (text: string): string => text.replace(obeyed, escaped);

/** A cell of a table: one line. */
export const cellText = (text: string): string => terminalText(text).replaceAll("\n", "\\u000a");

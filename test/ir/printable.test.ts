import { expect, test } from "vitest";
import { cellText, printable, printableData, terminalText } from "../../ir/printable.ts";

/** What hides, moves or reorders the rest of a line; each was found in a statement of the flow checker. */
const hostile = ["\u001b[8m", "\u009b2J", "\r", "\u0007", "\u202e", "\u2066", "\u2028", "\ud800", "\u007f", "\u0000"];
/** What nobody sees: two names that look the same. */
const hidden = ["\u200b", "\u00ad", "\u2060", "\ufeff", "\u{e0041}"];

test.each([
  ...hostile,
  ...hidden,
])("%j is written as an escape: in a name, a cell, a text, and a JSON document", (odd) => {
  for (const shown of [printable, cellText, terminalText]) expect(shown(`a${odd}b`)).toMatch(/^a\\u[\x20-\x7e]+b$/);
  const json = terminalText(JSON.stringify({ name: `a${odd}b` }));
  expect(json).toMatch(/^[\x20-\x7e]*$/);
  expect(JSON.parse(json)).toEqual({ name: `a${odd}b` });
});

test("a name has one line, and no character that nobody sees; a text has lines and tabs", () => {
  expect(printable("a\nb\u200bc\u{e0041}")).toBe("a\\u000ab\\u200bc\\udb40\\udc41");
  expect(printable("naïve, 東京, №")).toBe("naïve, 東京, №");
  expect(terminalText("a\n\tb \u001b[1mbold")).toBe("a\n\tb \\u001b[1mbold");
  expect(terminalText("\u0645\u06cc\u200c\u062e")).toBe("\u0645\u06cc\u200c\u062e");
  expect(cellText("two\nlines")).toBe("two\\u000alines");
});

test("data keeps its form", () => {
  const data = { "k\n": ["a\u001b", 1, null, { deep: "\u202e" }], bytes: Uint8Array.of(1) };
  expect(printableData(data)).toEqual({
    "k\\u000a": ["a\\u001b", 1, null, { deep: "\\u202e" }],
    bytes: Uint8Array.of(1),
  });
});

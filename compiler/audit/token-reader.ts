/**
 * Tokenizes texts, and reads tokens. The texts are generated and their language is closed: anything outside the rules
 * is an error, so no code that a JavaScript engine would run passes unseen.
 */
export interface Token {
  readonly kind: "name" | "string" | "number" | "mark" | "end";
  readonly text: string;
  readonly line: number;
}

export interface TokenRules {
  /** Spaces and comments. */
  readonly skip: RegExp;
  /** Tried in this order; sticky. */
  readonly kinds: readonly (readonly [Exclude<Token["kind"], "end">, RegExp])[];
}

/** The text is not one that marillc writes. */
export class ParseFault extends Error {
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** Half of a surrogate pair is no character: encoders replace it, so two different strings would become one. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/**
 * Names of values, and what streams of randomness are labelled with: the same alphabet in program.mir and in programs, in
 * which different names are different bytes.
 */
export const isValueName = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_.]*$/.test(text);

/** Length of what a sticky pattern matches at a position; −1: it does not. */
function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex - at : -1;
}

/** Allows printable ASCII and line feeds: no other line ends, no characters that change the order of reading. */
export function checkCharacters(text: string): void {
  const odd = /[^\n\x20-\x7e]/.exec(text);
  if (!odd) return;
  const code = odd[0].charCodeAt(0).toString(16).padStart(4, "0");
  throw new ParseFault(`expected printable ASCII, found U+${code}`, text.slice(0, odd.index).split("\n").length);
}

export function tokenize(text: string, { skip, kinds }: TokenRules): readonly Token[] {
  const tokens: Token[] = [];
  let [at, line] = [0, 1];
  for (;;) {
    const end = at + Math.max(0, matchLength(skip, text, at));
    for (; at < end; at++) if (text.charCodeAt(at) === lineFeed) line += 1;
    if (at === text.length) break;
    const token = tokenAt(text, at, line, kinds);
    if (!token) throw new ParseFault(`unexpected ${JSON.stringify(text.slice(at, at + 12))}`, line);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: "end", text: "", line });
  return tokens;
}

const lineFeed = 10;

/** No token contains a line end. */
function tokenAt(text: string, at: number, line: number, kinds: TokenRules["kinds"]): Token | undefined {
  for (const [kind, pattern] of kinds) {
    const length = matchLength(pattern, text, at);
    if (length >= 0) return { kind, text: text.slice(at, at + length), line };
  }
  return undefined;
}

export type Literal = number | boolean | string | null | readonly Literal[] | { readonly [key: string]: Literal };

export interface TokenReader {
  readonly line: () => number;
  /** Kind of the next token. */
  readonly kind: () => Token["kind"];
  /** Whether the next token is this word. A string literal is never a word. */
  readonly sees: (text: string) => boolean;
  /** Consumes the word if it is next. */
  readonly accepts: (text: string) => boolean;
  /** Consumes these words, separated by spaces in `words`. */
  readonly expect: (words: string) => void;
  /** The same, where JavaScript ends a statement at the end of a line: the first word is on the line of the word before. */
  readonly expectOnLine: (words: string) => void;
  readonly take: (kind: Token["kind"], what: string) => string;
  /** Items separated by commas, up to a closing mark; a comma may follow the last. */
  readonly list: <T>(close: string, item: () => T) => readonly T[];
  readonly string: () => string;
  readonly number: () => number;
  readonly fail: (what: string) => never;
}

export function createTokenReader(tokens: readonly Token[]): TokenReader {
  let at = 0;
  let next = tokens[0]!;
  const advance = (): void => {
    at = Math.min(at + 1, tokens.length - 1);
    next = tokens[at]!;
  };
  const fail = (what: string): never => {
    const { kind, text, line } = next;
    throw new ParseFault(`expected ${what}, found ${kind === "end" ? "the end" : text}`, line);
  };
  const sees = (text: string): boolean => next.text === text && next.kind !== "string";
  const accepts = (text: string): boolean => {
    if (!sees(text)) return false;
    advance();
    return true;
  };
  const take = (kind: Token["kind"], what: string): string => {
    const token = next;
    if (token.kind !== kind) fail(what);
    advance();
    return token.text;
  };
  const expect = (words: string): void => {
    for (const word of words.split(" ")) if (!accepts(word)) fail(word);
  };
  return {
    line: () => next.line,
    kind: () => next.kind,
    sees,
    accepts,
    expect,
    expectOnLine: (words) => {
      const before = tokens[at - 1];
      if (before && before.line !== next.line) fail(`${words} on the line of ${before.text}`);
      expect(words);
    },
    take,
    list: (close, item) => {
      const items = [];
      while (!accepts(close)) {
        items.push(item());
        if (!accepts(",")) {
          if (!accepts(close)) fail(`, or ${close}`);
          break;
        }
      }
      return items;
    },
    string: () => {
      const { line } = next;
      const text = take("string", "a string");
      try {
        const value = JSON.parse(text) as string;
        if (isWellFormed(value)) return value;
      } catch {
        // Refused below.
      }
      throw new ParseFault(`${text} is not a string`, line);
    },
    number: () => Number(take("number", "a number")),
    fail,
  };
}

/**
 * Reads a record of plain data, each key once, in order. `__proto__` must be in brackets, where it does not set the
 * prototype.
 */
export function readRecord<T>(reader: TokenReader, item: (key: string) => T): ReadonlyMap<string, T> {
  const entries = new Map<string, T>();
  reader.expect("{");
  reader.list("}", () => {
    const key = readKey(reader);
    if (entries.has(key)) reader.fail(`each key once; ${key} occurs twice`);
    reader.expect(":");
    entries.set(key, item(key));
  });
  return entries;
}

export function readKey(reader: TokenReader): string {
  if (reader.accepts("[")) {
    const key = reader.string();
    reader.expect("]");
    return key;
  }
  const key = reader.kind() === "string" ? reader.string() : reader.take("name", "a key");
  return key === "__proto__" ? reader.fail("a key that does not set the prototype") : key;
}

const namedLiterals: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ["true", true],
  ["false", false],
  ["null", null],
  ["Infinity", Infinity],
  ["NaN", Number.NaN],
]);

/** Reads a number, a string, a boolean, or a list or record of them. */
export function readLiteral(reader: TokenReader): Literal {
  const kind = reader.kind();
  if (kind === "number") return reader.number();
  if (kind === "string") return reader.string();
  if (kind === "name") {
    const value = namedLiterals.get(reader.take("name", "a value"));
    return value === undefined ? reader.fail("a value before it") : value;
  }
  if (reader.accepts("-")) {
    reader.expect("Infinity");
    return -Infinity;
  }
  if (reader.accepts("[")) return reader.list("]", () => readLiteral(reader));
  return Object.fromEntries(readRecord(reader, () => readLiteral(reader)));
}

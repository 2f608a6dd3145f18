/**
 * How names and data of a model become program text. Nothing of a model ever becomes code: names become identifiers in
 * a closed alphabet, everything else a literal in printable ASCII. So an auditor sees what runs: there are no line
 * separators and no characters that change the reading direction.
 */

/** Words that no variable may be called, and names that the generated text uses itself. */
const reserved =
  "abstract any arguments as async await boolean break case catch class const continue debugger declare default delete do else enum eval export extends false finally for from function get if implements import in infer instanceof interface is keyof let module namespace never new null number object of package private protected public readonly return satisfies set static string super switch symbol this throw true try type typeof undefined unknown var void while with yield " +
  "NaN Infinity __proto__ cached cachedTypes inputs inputTypes local outputTypes parallel party program protocols specs types weights weightTypes";

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");

const escaped = (text: string): string => text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`);

/** A string literal. */
export const stringLiteral = (text: string): string => escaped(JSON.stringify(text));

/**
 * The names that open streams of randomness are in the alphabet of the runtime's labels: a program with another one
 * would not run.
 * @throws RangeError
 */
export function requireLabels(names: readonly string[]): void {
  const odd = names.find((name) => escaped(name) !== name);
  if (odd !== undefined) throw new RangeError(`the name of a value is printable ASCII, found ${stringLiteral(odd)}`);
}

/** Text in a line comment: it cannot end the line. */
export const commentText = (text: string): string => escaped(text);

/** A number literal that reads back as itself. */
export const numberLiteral = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

const plainKey = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** A key of an object literal; `__proto__` would set the prototype. */
export function propertyKey(name: string): string {
  if (name === "__proto__") return '["__proto__"]';
  return plainKey.test(name) ? name : stringLiteral(name);
}

/** A property of an object. */
export const member = (object: string, name: string): string =>
  plainKey.test(name) ? `${object}.${name}` : `${object}[${stringLiteral(name)}]`;

/** Plain data as a literal on one line. */
export function literal(value: unknown): string {
  if (typeof value === "number") return numberLiteral(value);
  if (typeof value === "string") return stringLiteral(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return record(Object.entries(value).map(([key, item]) => [key, literal(item)]));
}

/** An object literal on one line, from values that are already text. */
export function record(entries: readonly (readonly [key: string, text: string])[]): string {
  return entries.length === 0 ? "{}" : `{ ${entries.map(([key, text]) => property(key, text)).join(", ")} }`;
}

/** `key: text`, or the key alone if the text is the same. */
const property = (key: string, text: string): string =>
  key === text && plainKey.test(key) ? key : `${propertyKey(key)}: ${text}`;

/** Makes variable names from value names: readable, unique, and never a word of the language or of the program. */
export function createIdentifiers(also: readonly string[]): (name: string) => string {
  const taken = new Set([...reserved.split(" "), ...also]);
  const given = new Map<string, string>();
  return (name) => {
    const known = given.get(name);
    if (known !== undefined) return known;
    const cleaned = name.replace(/[^A-Za-z0-9_]+/g, "_");
    const base = /^[A-Za-z_]/.test(cleaned) ? cleaned : `_${cleaned}`;
    let identifier = taken.has(base) ? `_${base}` : base;
    for (let n = 1; taken.has(identifier); n++) identifier = `${base}_${n}`;
    taken.add(identifier);
    given.set(name, identifier);
    return identifier;
  };
}

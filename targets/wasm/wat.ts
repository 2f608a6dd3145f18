/** The texts of make(0) … make(count − 1), one per line: unrolls a loop of a template. */
export function unroll(count: number, make: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => make(index)).join("\n");
}

/** Local declarations of one type, one per name. */
export const locals = (type: string, names: readonly string[]): string =>
  names.map((name) => `(local $${name} ${type})`).join(" ");

/** $name += amount, where amount is an expression. */
export const advance = (name: string, amount: string): string =>
  `(local.set $${name} (i32.add (local.get $${name}) ${amount}))`;

/**
 * Repeats the body while $counter ≥ step, and subtracts step each time. A body must not change $counter.
 */
export function countdown(label: string, counter: string, step: number, body: string): string {
  return `
(block $${label}_end
  (loop $${label}
    (br_if $${label}_end (i32.lt_u (local.get $${counter}) (i32.const ${step})))
    ${body}
    (local.set $${counter} (i32.sub (local.get $${counter}) (i32.const ${step})))
    (br $${label})))`;
}

/** Names of a tile of registers: prefix, row, column. */
export const registerNames = (prefix: string, rows: number, columns: number): string[] =>
  Array.from({ length: rows * columns }, (_, k) => `${prefix}${Math.floor(k / columns)}_${k % columns}`);

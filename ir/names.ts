/** Value names of the text form. */
export const namePattern = /^[A-Za-z_][A-Za-z0-9_.]*$/;

/** A valid name close to the text: other characters become `_`, and `_` precedes a leading digit. */
export function safeName(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9_.]+/g, "_").replace(/^_+(?=[A-Za-z])/, "");
  // Names that every object inherits (`constructor`) would be found in any table.
  return /^[A-Za-z_]/.test(safe) && !(safe in {}) ? safe : `_${safe}`;
}

/** The base if it is free, else the base with the first free number as suffix. */
export function uniqueName(taken: { has(name: string): boolean }, base: string): string {
  const safe = safeName(base);
  if (!taken.has(safe)) return safe;
  for (let n = 1; ; n++) if (!taken.has(`${safe}_${n}`)) return `${safe}_${n}`;
}

/** uniqueName that remembers the names it returned, in constant time each. */
export function createNames(initial: Iterable<string> = []): (base: string) => string {
  const taken = new Set(initial);
  const next = new Map<string, number>();
  return (base) => {
    const safe = safeName(base);
    let name = safe;
    let n = next.get(safe) ?? 1;
    while (taken.has(name)) name = `${safe}_${n++}`;
    next.set(safe, n);
    taken.add(name);
    return name;
  };
}

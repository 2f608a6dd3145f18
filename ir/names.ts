/** What the text form takes for a value name. */
export const namePattern = /^[A-Za-z_][A-Za-z0-9_.]*$/;

/** The nearest name that is safe: other characters become `_`, and a digit does not come first. */
export function safeName(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9_.]+/g, "_").replace(/^_+(?=[A-Za-z])/, "");
  // Names that every object has (`constructor`) would be found in tables that do not have them.
  return /^[A-Za-z_]/.test(safe) && !(safe in {}) ? safe : `_${safe}`;
}

/** The base itself if nobody has it, else with the first free number behind it. */
export function uniqueName(taken: { has(name: string): boolean }, base: string): string {
  const safe = safeName(base);
  if (!taken.has(safe)) return safe;
  for (let n = 1; ; n++) if (!taken.has(`${safe}_${n}`)) return `${safe}_${n}`;
}

/** uniqueName that remembers what it gave, in constant time each. */
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

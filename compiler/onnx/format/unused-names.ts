/**
 * Finds names that are not in use: the base itself, else `numbered(n)` for the first n from `from` on that is free. It
 * remembers per base where the search ended, so that many equal bases take linear time.
 */
export function createUnusedNames(
  isTaken: (name: string) => boolean,
): (base: string, numbered: (n: number) => string, from?: number) => string {
  const next = new Map<string, number>();
  return (base, numbered, from = 1) => {
    let name = base;
    let n = next.get(base) ?? from;
    for (; isTaken(name); n++) name = numbered(n);
    next.set(base, n);
    return name;
  };
}

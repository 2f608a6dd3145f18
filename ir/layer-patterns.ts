import type { Op, ValueId } from "./module.ts";

const globOf = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

/** Names by which users may call a value: the value's own, and that of the node behind it. */
export const layerNames = (id: ValueId, maker: Op | undefined): readonly string[] => [
  id,
  `%${id}`,
  maker?.origin ?? "",
];

/** Whether a pattern names one of them: `*` matches any characters, and `all` means every name. */
export function layerMatcher(pattern: string): (names: readonly string[]) => boolean {
  const glob = globOf(pattern === "all" ? "*" : pattern);
  return (names) => names.some((name) => glob.test(name));
}

import type { Diagnostic } from "./diagnostic.ts";
import { type Module, stages } from "./module.ts";
import { createContext, type Rule } from "./verify/context.ts";
import { fixedPoint } from "./verify/fixed.ts";
import { leaks } from "./verify/leaks.ts";
import { structure } from "./verify/structure.ts";
import { types } from "./verify/types.ts";

/** Groups in the order of what they rely on: a group runs only when those before it found nothing. */
const groups: readonly (readonly Rule[])[] = [structure, types, [...leaks, ...fixedPoint]];

/** Everything that is wrong with a module of its stage; empty when it keeps all promises. */
export function verify(module: Module): readonly Diagnostic[] {
  const context = createContext(module);
  const stage = stages.indexOf(module.stage);
  for (const group of groups) {
    const found = group.filter((rule) => stages.indexOf(rule.from) <= stage).flatMap((rule) => rule.check(context));
    if (found.length > 0) return found;
  }
  return [];
}

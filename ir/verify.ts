import type { Diagnostic } from "./diagnostic.ts";
import { type Module, stages } from "./module.ts";
import { createContext, type VerifyRule } from "./verify/context.ts";
import { fixedPoint } from "./verify/fixed-point-rules.ts";
import { revealRules } from "./verify/leaks.ts";
import { structureRules } from "./verify/structure.ts";
import { typeRules } from "./verify/types.ts";

/** Groups in order of dependency: a group runs only when those before it found nothing. */
const groups: readonly (readonly VerifyRule[])[] = [structureRules, typeRules, [...revealRules, ...fixedPoint]];

/** All violations of the rules of the module's stage; empty for a valid module. */
export function verify(module: Module): readonly Diagnostic[] {
  const context = createContext(module);
  const stage = stages.indexOf(module.stage);
  for (const group of groups) {
    const found = group.filter((rule) => stages.indexOf(rule.from) <= stage).flatMap((rule) => rule.check(context));
    if (found.length > 0) return found;
  }
  return [];
}

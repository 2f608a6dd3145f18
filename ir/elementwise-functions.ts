import { opDef } from "./registry.ts";
import type { Tensor } from "./tensor.ts";

/** Functions of each element alone, by the names of their operators: who knows a value can apply them to it. */
export const elementwiseFunctions: ReadonlySet<string> = new Set([
  ...["abs", "ceil", "cos", "erf", "exp", "floor", "log", "reciprocal", "relu", "rsqrt", "sigmoid", "sign", "sin"],
  ...["sqrt", "square", "tanh"],
]);

/** The functions one after the other. @throws Error for a name that is none of `elementwiseFunctions` */
export const applyFunctions = (value: Tensor, names: readonly string[] = []): Tensor =>
  names.reduce((x, name) => {
    if (!elementwiseFunctions.has(name)) throw new Error(`expected a function of each element, found ${name}`);
    return opDef(name).evaluate([x], {});
  }, value);

import { typeOf } from "../../ir/module.ts";
import type { LoadedModel } from "../load/index.ts";
import { shortType } from "../tensors/index.ts";

/** The type of an output of integers or booleans: shares are of fixed point, and do not say what the model gives. */
export function wholeTypeOf({ imported: { module, sources }, model }: LoadedModel, tensor: string): string | undefined {
  const id = module.outputs.find((each) => (sources.get(each) ?? each) === tensor);
  const kind = id === undefined ? "f32" : typeOf(module, id).element.kind;
  if (kind !== "i64" && kind !== "bool") return undefined;
  const declared = model.graph.outputs.find(({ name }) => name === tensor)?.dtype;
  return declared === undefined || /float/.test(declared) ? kind : shortType(declared);
}

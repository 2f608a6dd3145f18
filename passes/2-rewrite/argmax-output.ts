import { inferOp } from "../../ir/infer.ts";
import { type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { isFixed } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";
import { withOps } from "../graph.ts";
import type { SplitState } from "../pass.ts";

/**
 * reveal(logits) becomes reveal(argmax(logits)): the client learns the likeliest next token at each position of its
 * text, and no logit. This applies to every output with several scores per position that the client reads. An output
 * with one number per position (a model with its own ArgMax) stays. The first of equal scores wins.
 */
export function argmaxOutput(state: SplitState): SplitState {
  return state.module.outputs.reduce(replaceByArgmax, state);
}

function replaceByArgmax(state: SplitState, output: ValueId): SplitState {
  const { module } = state;
  const reveal = producersOf(opsOf(module)).get(output);
  const { shape, element } = module.values[output]!.type;
  const scores = (element.kind === "f32" || isFixed(element)) && shape.length >= 2 && shape.at(-1)! > 1;
  if (reveal?.name !== "reveal" || reveal.attrs.to !== "client" || !scores) return state;
  const [logits] = reveal.operands as [ValueId];
  const token = createNames(Object.keys(module.values))(`${output}.token`);
  const attrs = withDefaults(opDef("argmax"), { axis: shape.length - 1, keepdims: false });
  const chosen: Op = { name: "argmax", operands: [logits], result: token, attrs, origin: reveal.origin };
  const opened: Op = { ...reveal, operands: [token] };
  const type = inferOp(chosen, [module.values[logits]!.type]);
  const values = {
    ...module.values,
    [token]: { type },
    [output]: { type: inferOp(opened, [type]) },
  };
  const ops = opsOf(module).flatMap((op) => (op === reveal ? [chosen, opened] : [op]));
  return { ...state, module: withOps(module, ops, { values }) };
}

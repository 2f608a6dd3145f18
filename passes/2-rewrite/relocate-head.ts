import { fail } from "../../ir/diagnostic.ts";
import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { producersOf } from "../../ir/uses.ts";
import { withOps } from "../graph.ts";
import type { ClientTail, SplitState } from "../pass.ts";
import { hasFullRowRank, rankTolerance } from "./full-row-rank.ts";

/**
 * reveal(h·W + b) = reveal(h)·W + b. With W public and of full row rank, h·W determines h, so the client learns from h
 * exactly what the declared logits reveal. The d numbers of h are opened instead of the V logits. A private head stays
 * in the secure module. Throws MRL0304 if the rank is not provably full.
 */
export function relocateHead(state: SplitState): SplitState {
  return state.module.outputs.reduce(relocate, state);
}

function relocate(state: SplitState, output: ValueId): SplitState {
  const { module, weights, client, sources } = state;
  const producers = producersOf(opsOf(module));
  const reveal = producers.get(output);
  if (reveal?.name !== "reveal" || reveal.attrs.to !== "client") return state;
  const head = headOf(module, producers, reveal.operands[0]!);
  if (!head) return state;
  const [hidden, weight] = head.operands as [ValueId, ValueId];
  const name = (id: ValueId): string | undefined => sources.get(id) ?? (sources.size === 0 ? id : undefined);
  // Without a tensor of the ONNX file to start from, the client has nothing to run the head on.
  const source = name(hidden);
  if (source === undefined) return state;
  const w = weights.get(module.params[weight]!)!;
  if (!hasFullRowRank(w)) refuse(head, weight, w.shape);

  const value = createNames(Object.keys(module.values))(`${hidden}.revealed`);
  const opened: Op = { ...reveal, operands: [hidden], result: value, origin: head.origin };
  const ops = opsOf(module).flatMap((op) => (op === reveal ? [opened] : [op]));
  const type = { ...module.values[output]!.type, shape: module.values[hidden]!.type.shape };
  const outputs = module.outputs.map((id) => (id === output ? value : id));
  const tail: ClientTail = { value, source, output: name(output) ?? output };
  return {
    ...state,
    module: withOps(module, ops, { outputs, values: { ...module.values, [value]: { type } } }),
    client: { ...client, tails: [...client.tails, tail] },
  };
}

/** The product with a public matrix behind an output, with or without a public bias. */
function headOf(module: Module, producers: ReadonlyMap<ValueId, Op>, id: ValueId): Op | undefined {
  const isPublic = (param: ValueId): boolean =>
    Object.hasOwn(module.params, param) && module.values[param]!.type.label === "public";
  const op = producers.get(id);
  if (op?.name === "add" && op.operands.some(isPublic)) {
    const rest = op.operands.find((operand) => !isPublic(operand));
    return rest === undefined ? undefined : headOf(module, producers, rest);
  }
  const [hidden, weight] = op?.operands ?? [];
  const fits = op?.name === "matmul" && hidden !== undefined && weight !== undefined && isPublic(weight);
  return fits && !isPublic(hidden) && module.values[weight]!.type.shape.length === 2 ? op : undefined;
}

function refuse(head: Op, weight: ValueId, [rows = 0, columns = 0]: readonly number[]): never {
  const lost =
    rows > columns
      ? `%${weight} maps ${rows} numbers to ${columns}`
      : `%${weight} is ${rows} × ${columns}, and its least singular value is not provably above ${rankTolerance} of its norm`;
  return fail({
    code: "MRL0304",
    message: "the client cannot compute the head: the head's input would reveal more than the logits",
    at: head.origin,
    because: [
      lost,
      "so different inputs of the head may give the same logits, and opening the input would distinguish them",
    ],
    help: "keep the head in secure computation (no --head), or reveal only the token: --head token",
  });
}

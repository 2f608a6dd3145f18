import type { Builder } from "../../../../ir/builder.ts";
import type { Attrs, ValueId } from "../../../../ir/module.ts";
import type { TensorType } from "../../../../ir/type.ts";
import { displayName } from "./display-name.ts";
import type { EmittedOp } from "./fold.ts";
import type { ConstantOperand, GraphOperand, ValueOperand, WeightOperand } from "./operand.ts";

/**
 * The operators of the node that is being lowered, and the ids of all values. Operators enter the module when their
 * node is complete, under the names of its outputs, or not at all when it is refused.
 */
export interface OpQueue {
  /** Adds an input to the module. */
  readonly input: (name: string, type: TensorType) => ValueOperand;
  readonly push: (emitted: EmittedOp) => ValueOperand;
  /** Adds the queued operators to the module; `outputs` name the node's results. */
  readonly flush: (origin: string, outputs: readonly (readonly [string, GraphOperand])[]) => void;
  /** Drops the queued operators. */
  readonly discard: () => void;
  /** Id of an input, of a flushed value, or of a parameter. */
  readonly idOf: (operand: GraphOperand) => ValueId;
}

interface QueuedOp {
  readonly name: string;
  readonly operands: readonly GraphOperand[];
  readonly attrs: Attrs;
  readonly result: ValueOperand;
}

/** Twenty times the operators of a transformer with a hundred layers. */
const maxOps = 2 ** 17;

/** `paramOf` gives the parameter of a stored operand; `nameOutput` receives the ONNX tensor of each output's value. */
export function createOpQueue(
  builder: Builder,
  paramOf: (operand: ConstantOperand | WeightOperand) => ValueId,
  nameOutput: (id: ValueId, tensor: string) => void,
): OpQueue {
  const ids = new Map<ValueOperand, ValueId>();
  let queued: QueuedOp[] = [];
  let pushed = 0;
  const idOf = (operand: GraphOperand): ValueId => (operand.kind === "value" ? ids.get(operand)! : paramOf(operand));

  return {
    idOf,
    input: (name, type) => {
      const operand: ValueOperand = { kind: "value", type };
      ids.set(operand, builder.input(name, type));
      return operand;
    },
    push: ({ op, operands, attrs, type }) => {
      if (++pushed > maxOps) throw new Error(`expected at most ${maxOps} operators after loops are unrolled`);
      const result: ValueOperand = { kind: "value", type };
      queued.push({ name: op, operands, attrs, result });
      return result;
    },
    flush: (origin, outputs) => {
      const outputOf = new Map(outputs.map(([output, operand]) => [operand, output]));
      const base = displayName(outputs[0]?.[0] ?? origin);
      for (const { name, operands, attrs, result } of queued) {
        const output = outputOf.get(result);
        const wanted = output === undefined ? `${base}.${name}` : displayName(output);
        const id = builder.op(name, operands.map(idOf), attrs, { result: wanted, origin });
        ids.set(result, id);
        if (output !== undefined) nameOutput(id, output);
      }
      queued = [];
      // A value that was computed inside a node's graph becomes known as an output of the node.
      for (const [output, operand] of outputs) if (operand.kind === "value") nameOutput(idOf(operand), output);
    },
    discard: () => {
      queued = [];
    },
  };
}

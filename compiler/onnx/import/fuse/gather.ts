import type { ValueId } from "../../../../ir/module.ts";
import { sizeOf } from "../../../../ir/type.ts";
import type { Fusion } from "./matcher.ts";

// Exporters write x[arange(batch), i] like this; for a batch of one, only i selects.
const gatherNdToGather: Fusion = {
  name: "single-row",
  law: "gather-nd(x, [0 | i]) = gather(reshape(x, [N, …]), i) for x [1, …, 1, N, …], one 0 for each size of 1",
  match: (op, { producer, constant, type, emit }) => {
    const [x, tuples] = op.operands as [ValueId, ValueId];
    const joined = op.name === "gather-nd" && op.attrs.batch_dims === 0 ? producer(tuples, "concat") : undefined;
    const last = type(op.operands[1] ?? x).shape.length - 1;
    if (joined?.operands.length !== 2 || (joined.attrs.axis !== last && joined.attrs.axis !== -1)) return undefined;
    const [zeros, indices] = joined.operands as [ValueId, ValueId];
    const count = type(zeros).shape[last]!;
    const { shape } = type(x);
    const ones = constant(zeros)?.data.every((at) => at === 0) && sizeOf(shape.slice(0, count)) === 1;
    if (!ones || type(indices).shape[last] !== 1) return undefined;
    const wanted = type(indices).shape.slice(0, -1);
    // A tensor of the file can be cut out of it, so a reshaped one is taken before the reshape.
    const before = producer(indices, "reshape")?.operands[0];
    const same = before !== undefined && type(before).shape.join() === wanted.join();
    const index = same ? before : emit("reshape", [indices], { shape: wanted });
    return emit("gather", [emit("reshape", [x], { shape: shape.slice(count) }), index], { axis: 0 });
  },
};

export const gatherFusions: readonly Fusion[] = [gatherNdToGather];

import type { onnx as proto } from "onnx-proto";
import { int64Of } from "../../tensors/index.ts";

/** protobufjs takes any object with `low` and `high` as an int64; plain numbers end at 2^53. */
export function toLong(value: number): NonNullable<proto.IAttributeProto["i"]> {
  const wide = int64Of(value);
  const low = Number(BigInt.asIntN(32, wide));
  const high = Number(BigInt.asIntN(32, wide >> 32n));
  return { low, high, unsigned: false } as NonNullable<proto.IAttributeProto["i"]>;
}

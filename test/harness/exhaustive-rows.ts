import { privateLookup } from "../../runtime/protocols/lookup/private-lookup.ts";
import { fromIntegers } from "../../runtime/ring/convert.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { CHUNK, constant, type TinyBody, unknownInteger } from "./enumerate-views.ts";
import { fixed, weightOf } from "./execute-protocol.ts";

/** A row of a table of two numbers of 3 bits, at an index that the client knows. */
export const rowAt =
  (index: number): TinyBody =>
  (party, stage) => {
    const table = intTensor([2, 1], Float64Array.of(5, 6));
    const pad = (shape: readonly number[], width: number) =>
      fromIntegers(intTensor(shape, Float64Array.of(2, 5)), width);
    const spec = {
      operands: [fixed([2, 1], 0, 0, 7, 3), fixed([CHUNK], 0, 0, 1)],
      result: fixed([CHUNK, 1], 0, 0, 7, 3),
      attrs: { axis: 0 },
    };
    const indices = party.role === "client" && stage === "online" ? constant(index) : unknownInteger;
    return privateLookup.run(party, spec, weightOf(party, stage, table, 3, pad), indices);
  };
/** Positions of the point function's key in the view: blocks, control bits and the last correction. */
export const rowKey = [0, 1, 2];

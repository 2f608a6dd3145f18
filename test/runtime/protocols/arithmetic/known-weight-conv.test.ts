import { expect, it } from "vitest";
import { knownWeightConv } from "../../../../runtime/protocols/arithmetic/known-weight-conv.ts";
import { convolveDirectly, convShapes, convSpec } from "../../../harness/convolution-specs.ts";
import { bytes, costOf, execute, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

it("convolves with the server's kernels exactly: strides, padding, dilations, groups, depthwise; 35 shapes and rings", () => {
  let trial = 0;
  for (const shape of convShapes) {
    for (const width of [31, 32, 33, 44, 64]) {
      const spec = convSpec(shape, [10, 0], [8, 1000], width);
      const [x, w] = spec.operands.map((operand) => {
        const size = operand.shape.reduce((product, extent) => product * extent, 1);
        return quantizeToGrid(reals(size, operand.lo, operand.hi, ++trial), operand.scale);
      });
      const outcome = execute(knownWeightConv, spec, [x!, w!], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      expect([...outcome.values]).toEqual(convolveDirectly(shape, x!, w!));
    }
  }
});

it.each(convShapes)("costs LIN_PK: the tensor once, one way, whatever the windows: %j", (shape) => {
  for (const width of [31, 44]) {
    const spec = convSpec(shape, [10, 0], [8, 1000], width);
    const elements = (extents: readonly number[]) => extents.reduce((product, extent) => product * extent, 1);
    expect(costOf(knownWeightConv, spec)).toEqual({
      rounds: 1,
      clientToServer: bytes(width * elements(spec.operands[0]!.shape)),
      serverToClient: 0,
      dealerToServer: bytes(width * elements(spec.result.shape)),
    });
  }
});

import { expect, it } from "vitest";
import { maskedConv } from "../../../../runtime/protocols/arithmetic/masked-conv.ts";
import { convolveDirectly, convShapes, convSpec } from "../../../harness/convolution-specs.ts";
import { bytes, costOf, execute, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

it("convolves shared tensors exactly: strides, padding, dilations, groups, depthwise; 35 shapes and rings", () => {
  let trial = 0;
  for (const shape of convShapes) {
    for (const width of [31, 32, 33, 44, 64]) {
      const spec = convSpec(shape, [8, 8], [4, 4], width);
      const [x, w] = spec.operands.map((operand) => {
        const size = operand.shape.reduce((product, extent) => product * extent, 1);
        return quantizeToGrid(reals(size, operand.lo, operand.hi, ++trial), operand.scale);
      });
      const outcome = execute(maskedConv, spec, [x!, w!], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      expect([...outcome.values]).toEqual(convolveDirectly(shape, x!, w!));
    }
  }
});

it.each(convShapes)("costs LIN_SS for operands already open: the result's elements of the dealer, %j", (shape) => {
  const spec = convSpec(shape, [8, 8], [4, 4], 40);
  expect(costOf(maskedConv, spec)).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    dealerToServer: bytes(40 * spec.result.shape.reduce((product, extent) => product * extent, 1)),
  });
});

import { expect, test } from "vitest";
import { isMaskNumber } from "../../../../compiler/onnx/weights/masked-score.ts";

test("numbers that code writes to hide a score are no parameters; a trained one may be as large", () => {
  const hiding = [-1e4, -1e9, -1e30, -65504, Math.fround(-3.4028234663852886e38), -Infinity, Infinity];
  expect(hiding.filter((x) => !isMaskNumber(x))).toEqual([]);
  expect([0, -1, -100, -1e3, -10_001, -23_456.7, 1e9].filter(isMaskNumber)).toEqual([]);
});

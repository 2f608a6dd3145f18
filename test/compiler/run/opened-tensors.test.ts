import { expect, test } from "vitest";
import { openedTensors } from "../../../compiler/run/opened-tensors.ts";
import type { Program } from "../../../runtime/program/index.ts";
import { intTensor } from "../../../runtime/ring/index.ts";

test("an output of integers has the model's type, and the nearest integers", () => {
  const outputs = { y: { scale: 4 }, k: { scale: 4 } } as unknown as Program["outputs"];
  const raw = intTensor([2], Float64Array.of(33, -17));
  const reveal = (value: string, type?: string) => ({
    value,
    tensor: value,
    to: "client",
    shape: [2],
    ...(type && { type }),
  });
  const revealed = new Map(["y", "k"].map((value) => [value, raw]));
  const opened = openedTensors("client", [reveal("y"), reveal("k", "i64")], { outputs }, revealed);
  expect(opened.map(([name, { dtype, tensor }]) => [name, dtype, ...tensor.data])).toEqual([
    ["y", "float32", 2.0625, -1.0625],
    ["k", "int64", 2, -1],
  ]);
  expect(openedTensors("server", [reveal("k", "i64")], { outputs }, revealed)).toEqual([]);
});

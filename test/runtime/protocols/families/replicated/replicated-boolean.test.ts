import { expect, it } from "vitest";
import {
  replicatedCast,
  replicatedLogic,
  replicatedNot,
} from "../../../../../runtime/protocols/families/replicated/replicated-boolean.ts";
import { bytes, costOf, execute, fixed } from "../../../../harness/execute-protocol.ts";

const bit = fixed([4], 0, 0, 1);
const [x, y] = [Float64Array.of(0, 0, 1, 1), Float64Array.of(0, 1, 0, 1)];

it.each([
  ["and", [0, 0, 0, 1], 1],
  ["or", [0, 1, 1, 1], 1],
  ["xor", [0, 1, 1, 0], 0],
] as const)("%s in a bit and in the ring", (kind, expected, rounds) => {
  for (const width of [1, 64]) {
    const spec = { operands: [bit, bit], result: { ...bit, width }, attrs: { kind } };
    expect([...execute(replicatedLogic, spec, [x, y]).values]).toEqual(expected);
    expect(costOf(replicatedLogic, spec).rounds).toBe(rounds + (width > 1 ? 2 : 0));
  }
});

it("not is free, a cast takes 4ℓ in 2 rounds", () => {
  const spec = { operands: [bit], result: { ...bit, width: 1 }, attrs: {} };
  expect([...execute(replicatedNot, spec, [x]).values]).toEqual([1, 1, 0, 0]);
  expect(costOf(replicatedNot, spec)).toEqual({ rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 });
  const cast = { operands: [bit], result: fixed([4], 12, 0, 1, 64), attrs: { to: "f32" } };
  expect([...execute(replicatedCast, cast, [x]).values]).toEqual([...x]);
  const each = bytes(4 * 64);
  expect(costOf(replicatedCast, cast)).toEqual({
    rounds: 2,
    clientToServer: each,
    serverToClient: each,
    dealerToServer: each,
    clientToDealer: each,
  });
});

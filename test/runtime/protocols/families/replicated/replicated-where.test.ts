import { expect, it } from "vitest";
import {
  replicatedWhere,
  replicatedWhereElsePublic,
  replicatedWherePublic,
} from "../../../../../runtime/protocols/families/replicated/replicated-where.ts";
import { bytes, costOf, execute, fixed } from "../../../../harness/execute-protocol.ts";

const spec = {
  operands: [fixed([3, 1], 0, 0, 1), fixed([2], 12, -30, 30), fixed([3, 2], 12, -30, 30)],
  result: fixed([3, 2], 12, -30, 30, 64),
  attrs: {},
};

it.each([
  replicatedWhere,
  replicatedWherePublic,
  replicatedWhereElsePublic,
])("$name: 7ℓ in 2 rounds, broadcast", (protocol) => {
  // The bit and three products' components; ABY3's oblivious transfers take 8ℓ.
  const each = bytes(64 * 6);
  expect(costOf(protocol, spec)).toEqual({
    rounds: 2,
    clientToServer: each,
    serverToClient: 2 * each,
    dealerToServer: 2 * each,
    clientToDealer: 2 * each,
  });
  const condition = Float64Array.of(1, 0, 1);
  const [x, y] = [Float64Array.of(-30, 7.25), Float64Array.of(1, 2, 3, 4, 5, 6)];
  const { values } = execute(protocol, spec, [condition, x, y]);
  expect([...values]).toEqual([-30, 7.25, 3, 4, -30, 7.25]);
});

import { expect, it } from "vitest";
import { localLogic, maskedLogic } from "../../../../runtime/protocols/comparison/masked-logic.ts";
import { costOf, execute, fixed } from "../../../harness/execute-protocol.ts";

const tables: Readonly<Record<string, readonly number[]>> = { and: [0, 0, 0, 1], or: [0, 1, 1, 1], xor: [0, 1, 1, 0] };
const specOf = (count: number, kind: string) => ({
  operands: [fixed([count], 0, 0, 1), fixed([count], 0, 0, 1)],
  result: fixed([count], 0, 0, 1, 1),
  attrs: { kind },
});

for (const protocol of [maskedLogic, localLogic]) {
  it.each(Object.entries(tables))(`${protocol.name}: %s has its truth table, over 1,280 draws`, (kind, table) => {
    const x = Float64Array.from({ length: 64 }, (_, k) => (k >> 1) & 1);
    const y = Float64Array.from({ length: 64 }, (_, k) => k & 1);
    for (let trial = 0; trial < 20; trial++) {
      const { values } = execute(protocol, specOf(64, kind), [x, y], { trial });
      expect([...values]).toEqual([...x].map((v, k) => table[2 * v + y[k]!]));
    }
  });
}

it("costs two opened bits and one dealt, xor and public bits nothing", () => {
  const free = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
  for (const kind of ["and", "or"]) {
    const cost = costOf(maskedLogic, specOf(8, kind));
    expect(cost).toEqual({ rounds: 1, clientToServer: 2, serverToClient: 2, dealerToServer: 1 });
    expect(costOf(localLogic, specOf(8, kind))).toEqual(free);
  }
  expect(costOf(maskedLogic, specOf(8, "xor"))).toEqual(free);
});

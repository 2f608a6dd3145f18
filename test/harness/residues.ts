import type { Party, Share } from "../../runtime/core/party.ts";
import type { Protocol } from "../../runtime/protocols/kit/define-protocol.ts";
import { fromIntegers, toIntegers } from "../../runtime/ring/convert.ts";
import { intTensor, type RingTensor } from "../../runtime/ring/tensor.ts";
import { fixed } from "./execute-protocol.ts";

/** Every sharing of zero in a ring of 3 bits. */
export const allSharings: readonly number[] = [...Array(8).keys()];

/** The protocol in a ring of 3 bits, for every value and every share of the client's, with these sharings of zero. */
export function residues(protocol: Protocol, sharings: readonly number[]) {
  const ring = (value: number): RingTensor => fromIntegers(intTensor([1], Float64Array.of(value)), 3);
  const operand = (value: number) =>
    protocol.forms[0] === "share" ? ({ kind: "share", tensor: ring(value) } as const) : toIntegers(ring(value));
  const spec = { operands: [fixed([1], 0, -4, 3, 3)], result: fixed([1], 0, -4, 3, 3), attrs: {} };
  const run = (role: "client" | "server", share: number, zero: number): number => {
    const party = { role, sharedRandom: () => ring(zero) } as unknown as Party;
    const done = protocol.run(party, spec, operand(share)).next();
    return ((done.value as Share).tensor.data as Uint32Array)[0]!;
  };
  const all = [...Array(8).keys()];
  let [uniform, sums] = [true, true];
  for (const value of all) {
    for (const share of all) {
      const pairs = sharings.map((zero) => [run("client", share, zero), run("server", value - share, zero)] as const);
      uniform &&= [0, 1].every((k) => new Set(pairs.map((pair) => pair[k])).size === 8);
      sums &&= pairs.every(([a, b]) => (a + b) % 8 === value);
    }
  }
  return { uniform, sums };
}

import { expect, test } from "vitest";
import { countingParty, noDealerBytes } from "../../../runtime/correlations/counting-party.ts";
import { metaOperand } from "../../../runtime/protocols/kit/count-traffic.ts";
import type { Fixed, Spec } from "../../../runtime/protocols/kit/define-protocol.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";

const type = (shape: readonly number[], width = 20, scale = 10): Fixed => ({ shape, width, scale, lo: -1, hi: 1 });
const start = (name: string, spec: Spec, given: readonly Fixed[]) => {
  const protocol = protocols.get(name)!;
  const operands = given.map((fixed, k) => metaOperand(protocol.forms[k]!, fixed, spec.result.width));
  return protocol.run(countingParty("client", noDealerBytes()), spec, ...operands).next();
};
const reveal: Spec = { operands: [type([1, 48, 96])], result: type([1, 48, 96]), attrs: { to: "client" } };
const truncate: Spec = { operands: [type([48, 96])], result: type([48, 96], 12, 2), attrs: { by: 8 } };

test("a protocol sends nothing where it is given something else than the program says", () => {
  expect(start("one-way.reveal", reveal, [type([1, 48, 96])]).done).toBe(false);
  // 128 hidden numbers of a position, declared as 96 logits.
  expect(() => start("one-way.reveal", reveal, [type([1, 48, 128])])).toThrow(/operand 0 is \[1, 48, 128\]/);
  expect(() => start("one-way.reveal", reveal, [type([1, 48, 96], 21)])).toThrow(/in 21 bits, not/);
  expect(() => start("one-way.reveal", reveal, [])).toThrow(/0 operands, not 1/);
  expect(() => start("masked.open", { ...reveal, attrs: {} }, [type([1, 48, 128])])).toThrow(TypeError);
});

test("a protocol gives what the program says, or fails", () => {
  expect(start("local.truncate", truncate, [type([48, 96])]).done).toBe(true);
  for (const result of [type([48, 95], 12, 2), type([48, 96], 11, 2)])
    expect(() => start("local.truncate", { ...truncate, result }, [type([48, 96])])).toThrow(/does not give/);
});

import { expect, test } from "vitest";
import type { Party, SharedValue, Steps } from "../../../runtime/core/index.ts";
import { countingParty, noDealerBytes } from "../../../runtime/correlations/index.ts";
import { metaOperand } from "../../../runtime/protocols/kit/count-traffic.ts";
import { countSteps, type Protocol, replayed, type Spec } from "../../../runtime/protocols/kit/index.ts";
import { coarseMaxAttention } from "../../../runtime/protocols/softmax/attention.ts";
import { ringTensor } from "../../../runtime/ring/index.ts";

const fixed = (shape: readonly number[]) => ({ shape, width: 30, scale: 12, lo: -4, hi: 4 });
const shape = [1, 2, 6, 8];
const wanted: Spec = {
  operands: [fixed(shape), fixed(shape), fixed(shape)],
  result: fixed([1, 2, 6, 8]),
  attrs: { scale: 0.35, causal: true, window: 0, score_bound: 30 },
};
const widths = coarseMaxAttention.operandWidths(wanted);
const spec: Spec = { ...wanted, operands: wanted.operands.map((each, k) => ({ ...each, width: widths[k]! })) };
const operands = spec.operands.map((operand) => metaOperand("masked", operand, 30));

/** Everything that a count of two executions in one program tells. */
function countTwice(protocol: Protocol) {
  const account = noDealerBytes();
  const party = countingParty("client", account);
  function* both(): Steps<readonly SharedValue[]> {
    const first = yield* protocol.run(party.at("first"), spec, ...operands);
    return [first, yield* protocol.run(party.at("second"), spec, ...operands)];
  }
  const dealtBefore: (readonly [number, number])[] = [];
  let results: readonly SharedValue[] = [];
  function* kept(): Steps<unknown> {
    results = yield* both();
    return results;
  }
  const traffic = countSteps(kept(), account, () => void dealtBefore.push([account.client, account.server]));
  return { traffic, account, dealtBefore, results };
}

test("a replay counts what the body counts: rounds, bytes, what is dealt before each round, by operator, the result", () => {
  let runs = 0;
  const body: Protocol = {
    ...coarseMaxAttention,
    name: "test.replayed-count",
    run: (party, ...given) => {
      runs += 1;
      return coarseMaxAttention.run(party, ...given);
    },
  };
  const [own, again] = [countTwice(body), countTwice(replayed(body))];
  expect(again).toEqual(own);
  expect(own.traffic.rounds).toBeGreaterThan(6);
  expect(own.account.byOperator.get("second")).toBe(own.account.byOperator.get("first"));
  // Two without replay, and one for all that follow.
  expect(runs).toBe(3);
  countTwice(replayed(body));
  expect(runs).toBe(3);
});

test("operands with contents run the body", () => {
  const seen: string[] = [];
  const body = replayed({
    ...coarseMaxAttention,
    name: "test.replayed-contents",
    *run(party: Party) {
      seen.push(party.role);
      return { kind: "share", tensor: ringTensor([1], 8, undefined) };
    },
  });
  const share = { kind: "share", tensor: ringTensor([1], 8, Uint32Array.of(5)) } as const;
  for (let k = 0; k < 2; k++)
    countSteps(body.run(countingParty("server", noDealerBytes()), spec, share), noDealerBytes());
  expect(seen).toEqual(["server", "server"]);
});

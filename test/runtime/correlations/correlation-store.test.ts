import { describe, expect, it } from "vitest";
import type { Party } from "../../../runtime/core/party.ts";
import type { Steps } from "../../../runtime/core/steps.ts";
import { createCorrelationStore } from "../../../runtime/correlations/correlation-store.ts";
import { onlineParty, preparingParty } from "../../../runtime/correlations/preparing-party.ts";
import { maskAndOpen } from "../../../runtime/protocols/boundary/open.ts";
import { liftToRing } from "../../../runtime/protocols/kit/masked-values.ts";
import { metaTensor, zeros } from "../../../runtime/ring/tensor.ts";
import { drain, runParties, seedOf } from "../../harness/run-parties.ts";

const nothing = {
  take: (bytes: number): Uint8Array => {
    throw new Error(`no delivery of ${bytes} bytes`);
  },
};
const prepared = (body: (party: Party) => Steps<unknown>) => {
  const store = createCorrelationStore();
  const party = preparingParty({
    role: "client",
    seed: seedOf(1, 1),
    sharedSeed: seedOf(1, 4),
    query: 0,
    store,
    dealerMessages: nothing,
  });
  drain(body(party));
  return store;
};
const drawing = function* (party: Party): Steps<unknown> {
  const masked = party.at("matmul");
  return [masked.mask([4], 12), masked.sharedRandom([2], 8)];
};

describe("a stock of correlations", () => {
  it("gives each item once, in order, by operator", () => {
    const store = createCorrelationStore();
    const items = [zeros([1], 5), zeros([2], 5)];
    store.put("a", items[0]!);
    store.put("b", zeros([9], 9));
    store.put("a", items[1]!);
    expect(store.take("a", [1], 5)).toBe(items[0]);
    expect(store.take("a", [2], 5)).toBe(items[1]);
    expect(store.remaining).toBe(1);
  });

  it("has nothing to give a second time", () => {
    const store = prepared(drawing);
    const party = onlineParty("client", store).at("matmul");
    party.mask([4], 12);
    party.sharedRandom([2], 8);
    expect(store.remaining).toBe(0);
    expect(() => party.mask([4], 12)).toThrow(/matmul/);
    expect(() => party.offline(() => zeros([1], 1))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^MRL/) }),
    );
  });

  it("has nothing for an operator that prepared nothing", () => {
    expect(() => onlineParty("client", prepared(drawing)).at("relu").mask([4], 12)).toThrow(/relu/);
  });

  it("names what was wanted and what was there when shape or width differ", () => {
    expect(() => onlineParty("client", prepared(drawing)).at("matmul").mask([5], 12)).toThrow(/\[5\].*\[4\]/s);
    expect(() => onlineParty("client", prepared(drawing)).at("matmul").mask([4], 13)).toThrow(
      /13 bits.*\[4\] of 12 bits/s,
    );
  });

  it("tells what is left over", () => {
    const store = prepared(drawing);
    onlineParty("client", store).at("matmul").mask([4], 12);
    expect(store.remaining).toBe(1);
  });
});

describe("deliveries of the dealer", () => {
  const body = function* (party: Party): Steps<unknown> {
    return liftToRing(party, yield* maskAndOpen(party.at("x"), metaTensor([4], 8)), 12);
  };
  const server = { role: "server", seed: seedOf(1, 2), sharedSeed: seedOf(1, 4), query: 0 } as const;

  it("are wanted by a server, and enough of them", () => {
    const store = createCorrelationStore();
    expect(() => drain(body(preparingParty({ ...server, store })))).toThrow(/dealerMessages/);
    expect(() =>
      drain(body(preparingParty({ ...server, store: createCorrelationStore(), dealerMessages: nothing }))),
    ).toThrow(/no delivery of 2 bytes/);
  });

  it("are refused when they are too long or too short", () => {
    const deliveries = { take: (bytes: number) => new Uint8Array(bytes + 1) };
    expect(() =>
      drain(body(preparingParty({ ...server, store: createCorrelationStore(), dealerMessages: deliveries }))),
    ).toThrow(/needs 2 bytes, got 3/);
  });
});

describe("queries", () => {
  it("have masks of their own: the same program draws other randomness in another query", () => {
    const draw = (query: number) => {
      const store = createCorrelationStore();
      preparingParty({ role: "client", seed: seedOf(1, 1), sharedSeed: seedOf(1, 4), query, store }).mask([8], 32);
      return store.take("", [8], 32).data;
    };
    expect(draw(0)).toEqual(draw(0));
    expect(draw(0)).not.toEqual(draw(1));
  });

  it("end with nothing left over: the harness demands it", () => {
    const leaving = function* (party: Party, stage: string): Steps<unknown> {
      if (stage !== "online") party.mask([4], 8);
      return yield* maskAndOpen(party.at("x"), stage === "online" ? zeros([4], 8) : metaTensor([4], 8));
    };
    expect(() => runParties(leaving)).toThrow(/expected client to use all correlations, found 1 left/);
  });
});

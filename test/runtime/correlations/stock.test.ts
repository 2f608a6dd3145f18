import { describe, expect, it } from "vitest";
import type { Party } from "../../../runtime/core/party.ts";
import type { Steps } from "../../../runtime/core/steps.ts";
import { onlineParty, preparingParty } from "../../../runtime/correlations/prepare.ts";
import { createStock } from "../../../runtime/correlations/stock.ts";
import { openWire } from "../../../runtime/protocols/boundary/open.ts";
import { lift } from "../../../runtime/protocols/kit/wires.ts";
import { ghost, zeros } from "../../../runtime/ring/tensor.ts";
import { drain, seedOf, together } from "../../harness/together.ts";

const nothing = {
  take: (bytes: number): Uint8Array => {
    throw new Error(`no delivery of ${bytes} bytes`);
  },
};
const prepared = (body: (party: Party) => Steps<unknown>) => {
  const stock = createStock();
  const party = preparingParty({
    role: "client",
    seed: seedOf(1, 1),
    jointSeed: seedOf(1, 4),
    query: 0,
    stock,
    deliveries: nothing,
  });
  drain(body(party));
  return stock;
};
// biome-ignore lint/correctness/useYield: a body that draws and sends nothing
const drawing = function* (party: Party): Steps<unknown> {
  const wire = party.at("matmul");
  return [wire.mask([4], 12), wire.joint([2], 8)];
};

describe("a stock of correlations", () => {
  it("gives each item once, in order, by operator", () => {
    const stock = createStock();
    const items = [zeros([1], 5), zeros([2], 5)];
    stock.put("a", items[0]!);
    stock.put("b", zeros([9], 9));
    stock.put("a", items[1]!);
    expect(stock.take("a", [1], 5)).toBe(items[0]);
    expect(stock.take("a", [2], 5)).toBe(items[1]);
    expect(stock.left).toBe(1);
  });

  it("has nothing to give a second time", () => {
    const stock = prepared(drawing);
    const party = onlineParty("client", stock).at("matmul");
    party.mask([4], 12);
    party.joint([2], 8);
    expect(stock.left).toBe(0);
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
    const stock = prepared(drawing);
    onlineParty("client", stock).at("matmul").mask([4], 12);
    expect(stock.left).toBe(1);
  });
});

describe("deliveries of the dealer", () => {
  const body = function* (party: Party): Steps<unknown> {
    return lift(party, yield* openWire(party.at("x"), ghost([4], 8)), 12);
  };
  const server = { role: "server", seed: seedOf(1, 2), jointSeed: seedOf(1, 4), query: 0 } as const;

  it("are wanted by a server, and enough of them", () => {
    const stock = createStock();
    expect(() => drain(body(preparingParty({ ...server, stock })))).toThrow(/deliveries/);
    expect(() => drain(body(preparingParty({ ...server, stock: createStock(), deliveries: nothing })))).toThrow(
      /no delivery of 2 bytes/,
    );
  });

  it("are refused when they are too long or too short", () => {
    const deliveries = { take: (bytes: number) => new Uint8Array(bytes + 1) };
    expect(() => drain(body(preparingParty({ ...server, stock: createStock(), deliveries })))).toThrow(
      /takes 2 bytes, got 3/,
    );
  });
});

describe("queries", () => {
  it("have masks of their own: the same program draws other randomness in another query", () => {
    const draw = (query: number) => {
      const stock = createStock();
      preparingParty({ role: "client", seed: seedOf(1, 1), jointSeed: seedOf(1, 4), query, stock }).mask([8], 32);
      return stock.take("", [8], 32).data;
    };
    expect(draw(0)).toEqual(draw(0));
    expect(draw(0)).not.toEqual(draw(1));
  });

  it("end with nothing left over: the harness demands it", () => {
    const leaving = function* (party: Party, stage: string): Steps<unknown> {
      if (stage !== "online") party.mask([4], 8);
      return yield* openWire(party.at("x"), stage === "online" ? zeros([4], 8) : ghost([4], 8));
    };
    expect(() => together(leaving)).toThrow(/client has 1 items left/);
  });
});

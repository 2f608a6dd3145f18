import { expect, it } from "vitest";
import { evaluateOp } from "../../../ir/interpret.ts";
import { registry } from "../../../ir/registry.ts";
import type { Share, SharedValue } from "../../../runtime/core/party.ts";
import { countingParty, noDealerBytes } from "../../../runtime/correlations/counting-party.ts";
import { local } from "../../../runtime/program/local-ops.ts";
import { add, sub } from "../../../runtime/ring/arithmetic.ts";
import { fromIntegers, toIntegers } from "../../../runtime/ring/convert.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";
import { fixed } from "../../harness/execute-protocol.ts";

it("gather: chooses by public indices, and has a shape where they are not known", () => {
  const spec = {
    operands: [fixed([2, 3], 0, 0, 9, 8), fixed([2], 0, 0, 2, 32)],
    result: fixed([2, 2], 0, 0, 9, 8),
    attrs: { axis: 1 },
  };
  const x: Share = { kind: "share", tensor: fromIntegers(intTensor([2, 3], Float64Array.of(1, 2, 3, 4, 5, 6)), 8) };
  const party = countingParty("client", noDealerBytes());
  const chosen = local.gather(party, spec, x, intTensor([2], Float64Array.of(-1, 0))) as Share;
  expect(Array.from(chosen.tensor.data!)).toEqual([3, 1, 6, 4]);
  // What counts rounds and bytes knows no numbers.
  const counted = local.gather(party, spec, x, intTensor([2], undefined)) as Share;
  expect(counted.tensor).toEqual({ ...counted.tensor, shape: [2, 2], width: 8, data: undefined });
});

it("cumsum, trilu: as the interpreter has them, along every axis and from every diagonal", () => {
  const party = countingParty("client", noDealerBytes());
  const shape = [2, 3, 4];
  const raw = intTensor(
    shape,
    Float64Array.from({ length: 24 }, (_, k) => ((k * 7) % 11) - 5),
  );
  const x: Share = { kind: "share", tensor: fromIntegers(raw, 40) };
  const check = (name: "cumsum" | "trilu", attrs: Record<string, number | boolean>): void => {
    const type = fixed(shape, 0, -60, 60, 40);
    const found = local[name](party, { operands: [type], result: type, attrs }, x) as Share;
    expect([...toIntegers(found.tensor).data!]).toEqual([
      ...evaluateOp(name, [{ shape, data: raw.data! }], attrs).data.map((v) => v + 0),
    ]);
  };
  for (const axis of [0, 1, 2, -1, -3]) check("cumsum", { axis });
  for (const upper of [true, false]) for (const diagonal of [-3, -1, 0, 1, 2, 5]) check("trilu", { upper, diagonal });
});

it("has every operator that the language calls free on shares", () => {
  // Those that a rewrite or a protocol takes whatever the labels.
  const taken = ["share", "reveal", "where", "low-rank"];
  const free = [...registry.values()].filter(({ linear, scales }) => linear !== "none" && scales);
  const missing = free.map(({ name }) => name).filter((name) => !Object.hasOwn(local, name));
  expect(missing.sort()).toEqual(taken.sort());
});

it("conv, sum-pool: what is computed on the parties' shares adds up, whichever operand is shared", () => {
  const [x, w] = [
    intTensor([1, 2, 3], Float64Array.of(1, -2, 3, 4, 5, -6)),
    intTensor([1, 2, 2], Float64Array.of(1, 2, -3, 4)),
  ];
  const window = { strides: [1], pads: [1, 0], dilations: [1] };
  const spec = {
    operands: [fixed(x.shape, 0, -9, 9, 12), fixed(w.shape, 0, -9, 9, 12)],
    result: fixed([1, 1, 3], 0, -200, 200, 12),
    attrs: { ...window, group: 1 },
  };
  const party = countingParty("client", noDealerBytes());
  const halves = (n: typeof x): readonly Share[] => {
    const whole = fromIntegers(n, 12);
    const random = fromIntegers(
      intTensor(
        n.shape,
        Float64Array.from(n.data!, (_, k) => 1234 + 77 * k),
      ),
      12,
    );
    return [random, sub(whole, random)].map((tensor): Share => ({ kind: "share", tensor }));
  };
  const together = (make: (share: Share) => SharedValue, n: typeof x): number[] => {
    const [mine, theirs] = halves(n).map((share) => (make(share) as Share).tensor);
    return [...toIntegers(add(mine!, theirs!)).data!];
  };
  // By hand: 2·1 + 4·4, 1 − 4 − 12 + 20, −2 + 6 − 15 − 24.
  const expected = [18, 5, -35];
  expect(together((share) => local.conv(party, spec, share, w), x)).toEqual(expected);
  expect(together((share) => local.conv(party, spec, x, share), w)).toEqual(expected);
  const pooled = { ...spec, attrs: { ...window, kernel: [2] }, result: fixed([1, 2, 3], 0, -30, 30, 12) };
  expect(together((share) => local["sum-pool"](party, pooled, share), x)).toEqual([1, -1, 1, 4, 9, -1]);
});

it("concat: what is public, or the server's alone, stands beside shares as it is", () => {
  const spec = {
    operands: [fixed([1], 0, 0, 9, 8), fixed([2], 0, 0, 9, 8), fixed([1], 0, 0, 9, 8)],
    result: fixed([4], 0, 0, 9, 8),
    attrs: { axis: 0 },
  };
  const of = (role: "client" | "server", known: number[] | undefined, share: number): Share => {
    const party = countingParty(role, noDealerBytes());
    const tensor = fromIntegers(intTensor([1], Float64Array.of(share)), 8);
    const secret = intTensor([2], known && Float64Array.from(known));
    const open = intTensor([1], Float64Array.of(5));
    return local.concat(party, spec, { kind: "share", tensor }, secret, open) as Share;
  };
  const [client, server] = [of("client", undefined, 100), of("server", [7, -8], -96)];
  expect(Array.from(toIntegers(add(client.tensor, server.tensor)).data!)).toEqual([4, 7, -8, 5]);
  // The client's share holds nothing of it.
  expect(Array.from(client.tensor.data!)).toEqual([100, 0, 0, 0]);
});

import { expect, it, test } from "vitest";
import { parseOwnership, withAdapters } from "../../../compiler/estimate/architecture-ownership.ts";
import { type EstimateOptions, estimateCost } from "../../../compiler/estimate/count-architecture.ts";
import { opsOf } from "../../../ir/module.ts";
import { countTraffic, moduleTraffic } from "../../../scripts/tables/count-traffic.ts";
import { systemOptions } from "../../../scripts/tables/savings-rows.ts";

const layers = parseOwnership("layers");
const window: EstimateOptions = { phase: "prefill", sequenceLength: 8, ownership: layers };
const place: EstimateOptions = { phase: "decode", sequenceLength: 1, contextLength: 16, ownership: layers };
const adapted = withAdapters(layers, 8);
const cases: readonly (readonly [string, EstimateOptions])[] = [
  ["whole layers", window],
  ["adapters", { ...window, ownership: adapted }],
  [
    "adapters whose A is public",
    { ...window, ownership: { ...adapted, adapters: { ...adapted.adapters!, publicA: true } } },
  ],
  ["merged heads", { ...window, mergedHeads: 4 }],
  ["one position", place],
  ["one position with adapters and merged heads", { ...place, ownership: adapted, mergedHeads: 2 }],
  ["crypten", { ...window, ...systemOptions("crypten") }],
  ["crypten, one position", { ...place, ...systemOptions("crypten"), ownership: adapted, mergedHeads: 2 }],
];
const bytes = (named: object): number => Object.values(named).reduce((a: number, b: number) => a + b, 0);

test.each(cases)("%s: the sum over operators is what the program sends", (_, options) => {
  const { module, report } = estimateCost("llama-tiny", { ...options, layerLimit: 1 });
  const { rounds, online, offline, setup } = moduleTraffic(module, "2pc-dealer");
  const { totals } = report;
  expect(rounds).toBe(totals.online.rounds);
  // What enters as kept shares is there already.
  const kept = report.operators.filter(({ name }) => {
    const op = opsOf(module).find(({ result }) => `%${result}` === name)!;
    return op.name === "share" && op.operands[0]!.includes(".kept.");
  });
  expect(kept).toHaveLength(options.cacheForm === "shares" && options.phase === "decode" ? 2 : 0);
  const entering = kept.reduce((sum, operator) => sum + bytes(operator.bytes) + bytes(operator.correlationBytes), 0);
  expect(bytes(online) + bytes(offline)).toBe(bytes(totals.online.bytes) + bytes(totals.offline.bytes) - entering);
  expect(bytes(setup)).toBe(bytes(totals.setup.bytes));
});

test.each(cases)("%s: two and three layers determine the cost of more layers", (_, options) => {
  const { module } = estimateCost("llama-tiny", options);
  expect(countTraffic("llama-tiny", options)).toEqual(moduleTraffic(module, "2pc-dealer"));
});

it("the result of attention gets a ring that a low-rank product after it fits into", () => {
  const options: EstimateOptions = {
    phase: "decode",
    sequenceLength: 1,
    contextLength: 256,
    ownership: withAdapters(layers, 64),
    layerLimit: 1,
  };
  const { module } = estimateCost("open-llama-3b", options);
  const lifted = opsOf(module).filter(({ name, origin }) => name === "extend" && origin.endsWith("/attended"));
  const rings = lifted.map(({ result }) => module.values[result]!.type.element);
  expect(rings).toEqual([{ kind: "fx", scale: 12, width: 46 }]);
});

it("heads in groups cost as much as all heads together", () => {
  const count = (together?: number) =>
    countTraffic("llama-tiny", { ...window, ...(together && { headsPerOp: together }) });
  expect(count(2)).toEqual(count());
});

it("with half of the layers frozen, half of the layers count, and the first and last operators count once", () => {
  const [all, half] = [layers, parseOwnership("lf0.5")].map((owner) =>
    countTraffic("llama-tiny", { ...window, ownership: owner }),
  );
  const one = countTraffic("llama-tiny", { ...window, layerLimit: 1 });
  const none = 2 * half!.rounds - all!.rounds;
  // Two layers cost what one costs and one layer more: the rest is what stands before and behind them.
  expect(half!.rounds - one.rounds).toBe(one.rounds - none);
  expect(bytes(all!.offline) / bytes(half!.offline)).toBeGreaterThan(1.9);
  expect(bytes(all!.online) / bytes(half!.online)).toBeGreaterThan(1.9);
});

it("merged heads share a softmax of their joint depth, and a group that does not divide the heads is refused", () => {
  const { module } = estimateCost("llama-tiny", { ...window, layerLimit: 1, mergedHeads: 4 });
  const attention = opsOf(module).find(({ name }) => name === "attention")!;
  expect(module.values[attention.result]!.type.shape).toEqual([1, 2, 8, 64]);
  expect(() => countTraffic("llama-tiny", { ...window, mergedHeads: 3 })).toThrow(/found 3 merged heads/);
});

it("every product of a layer gets an adapter", () => {
  const { module } = estimateCost("llama-tiny", { ...window, layerLimit: 1, ownership: adapted });
  const names = Object.values(module.params).join();
  const kinds = ["query", "key", "value", "projected", "pre_activation", "up", "fed"];
  for (const kind of kinds) expect(names).toMatch(new RegExp(`\\.${kind.replace("_", ".")}\\.A`));
});

test.each(["all", "lora8", "lf0.5+lora8"])("adapters on every product of %s are refused", (text) => {
  expect(() => withAdapters(parseOwnership(text), 8)).toThrow(RangeError);
});

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { attachAdapter } from "../../../../compiler/adapters/attach-adapter.ts";
import { readPeftAdapter } from "../../../../compiler/adapters/peft-adapter.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../../compiler/onnx/normalize/read-model.ts";
import { openBaseModel } from "../../../../compiler/ownership/base-model.ts";
import { decideOwnership } from "../../../../compiler/ownership/decide-ownership.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { verify } from "../../../../ir/verify.ts";
import { countOps, runImported, worst } from "./recorded.ts";

const folder = fileURLToPath(new URL("../../../../fixtures/date-llama", import.meta.url));
const file = (name: string) => join(folder, name);

describe("the date model", () => {
  const length = 48;
  const ids = tensor(
    [1, length],
    Float64Array.from({ length }, (_, at) => (at * 37 + 11) % 96),
  );
  const inputs = new Map([["input_ids", ids]]);
  const exports: readonly (readonly [string, ReadonlyMap<string, number>])[] = [
    ["base-ts17.onnx", new Map()],
    ["base-dy18.onnx", new Map()],
    ["base-ts17-seq.onnx", new Map([["seq", length]])],
  ];
  const operators = { "rms-norm": 13, attention: 6, rope: 12, silu: 6, matmul: 43 };

  it.each(exports)("%s with the adapter equals the merged export", (name, dims) => {
    const model = readModel(file(name));
    const adapter = readPeftAdapter(file("adapter"));
    const ownership = decideOwnership(model, { adapter });
    const base = importModel(model, { dims, ownership });
    expect(countOps(base)).toMatchObject(operators);
    expect(Object.keys(countOps(base)).filter((each) => /softmax|sqrt|pow|div|where|expand/.test(each))).toEqual([]);
    const tuned = attachAdapter(base, adapter);
    expect(verify(tuned.module)).toEqual([]);
    const merged = importModel(readModel(file("merged-ts17.onnx")));
    const expected = runImported(merged, inputs).get("logits")!;
    expect(worst(runImported(tuned, inputs).get("logits")!, expected)).toBeLessThan(1e-3);
    expect(worst(runImported(base, inputs).get("logits")!, expected)).toBeGreaterThan(1e-1);
  });

  it("the merged export is private in the adapter's layers", () => {
    const { table } = decideOwnership(readModel(file("merged-ts17.onnx")), {
      base: openBaseModel(file("base-dy18.onnx")),
    });
    const secret = table.filter(({ label }) => label === "server").map(({ name }) => name);
    const { modules } = readPeftAdapter(file("adapter"));
    expect(secret.sort()).toEqual(modules.map(({ module }) => `${module}.weight`).sort());
  });
});

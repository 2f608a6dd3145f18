import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { selectOutputs } from "../../../compiler/load/select-outputs.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { bindConstantInputs } from "../../../compiler/onnx/normalize/bind-constant-inputs.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { marillc, marillcJson } from "../../cli/run-cli.ts";
import { queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { runImported } from "../onnx/import/recorded.ts";

const file = fileURLToPath(new URL("../../../fixtures/exporters/genai-llama-int4-prompt/model.onnx", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "marillc-cache-outputs-"));
afterAll(() => rmSync(dir, { recursive: true }));

const cache = ["present.0.key", "present.1.key", "present.0.value", "present.1.value"];
const toClient = (...outputs: string[]) => outputs.map((output) => ({ output, to: "client" as const }));
const sizes = (past: number): string[] => ["--dim", "batch=1", "--dim", "seq=4", "--dim", `past=${past}`];

describe("requested outputs", () => {
  const model = readModel(file);
  const namesOf = (reveal: Parameters<typeof selectOutputs>[1]) =>
    selectOutputs(model, reveal).model.graph.outputs.map(({ name }) => name);

  it("are all outputs without a request, or beside an unknown name", () => {
    expect(namesOf([])).toEqual(["logits", ...cache]);
    expect(namesOf(toClient("logits", "nothing*"))).toEqual(["logits", ...cache]);
  });

  it("are the named ones, also by a pattern", () => {
    const { omittedOutputs, reveal } = selectOutputs(model, toClient("logits", "present.*.key"));
    expect(reveal).toEqual(toClient("logits", "present.0.key", "present.1.key"));
    expect(omittedOutputs).toEqual(["present.0.value", "present.1.value"]);
  });

  it("keep only what leads to them", () => {
    const { graph } = selectOutputs(model, toClient("present.0.key")).model;
    expect(graph.nodes.some(({ name }) => name.includes("layers.1"))).toBe(false);
    expect([...graph.initializers.keys()].filter((name) => name.includes("layers.1"))).toEqual([]);
    // The node that computes the key has no other output with a reader.
    const asked = selectOutputs(model, toClient("logits")).model.graph.nodes;
    const attention = asked.filter(({ op }) => op === "GroupQueryAttention");
    expect(attention.map(({ outputs }) => outputs.slice(1))).toEqual([
      ["", ""],
      ["", ""],
    ]);
  });
});

describe("inputs that no query changes", () => {
  const dims = new Map(Object.entries({ batch: 1, seq: 4, past: 0 }));

  it("drop an empty past, whose other sizes are not needed", () => {
    const imported = importModel(bindConstantInputs(readModel(file), dims), { dims });
    expect([...imported.inputs.keys()]).toEqual(["input_ids", "attention_mask"]);
  });

  it("derive the total from the past and the new positions, unless it is given", () => {
    const total = (given: Record<string, number>) =>
      codesOf(() => importModel(readModel(file), { dims: new Map(Object.entries(given)) }));
    expect(total({ batch: 1, seq: 4, past: 2, kv_cache_dim: 16 })).toEqual(["MRL0404"]);
    expect(total({ batch: 1, seq: 4, kv_cache_dim: 16 })).toEqual(["MRL0402"]);
  });

  it("only a past may be empty", () => {
    const nothing = new Map(Object.entries({ batch: 1, seq: 0, past: 0 }));
    const all = codesOf(() => importModel(bindConstantInputs(readModel(file), nothing), { dims: nothing }));
    expect(new Set(all)).toEqual(new Set(["MRL0410"]));
  });

  it("know from a fixed mask that a past is full, so that its cache can be an output", () => {
    const behind = new Map(Object.entries({ batch: 1, seq: 2, past: 3, kv_cache_dim: 16 }));
    const imported = importModel(bindConstantInputs(readModel(file), behind, new Map([["attention_mask", 1]])), {
      dims: behind,
    });
    expect([...imported.outputs.keys()]).toEqual(["logits", ...cache]);
    expect(imported.inputs.has("attention_mask")).toBe(false);
  });

  it("must be integer inputs when they are fixed", () => {
    const fixed = (name: string) => codesOf(() => bindConstantInputs(readModel(file), dims, new Map([[name, 1]])));
    expect(fixed("mask")).toEqual(["MRL0409"]);
    expect(fixed("past_key_values.0.key")).toEqual(["MRL0409"]);
  });
});

describe("the command line on a decoder with a cache", () => {
  const calibration = join(dir, "calibration.npz");
  const ids = { dtype: "int64" as const, tensor: tensor([1, 4], [5, 9, 3, 30]) };
  const mask = { dtype: "int64" as const, tensor: tensor([1, 4], [1, 1, 1, 1]) };
  writeFileSync(
    calibration,
    writeNpz(
      new Map([
        ["input_ids", ids],
        ["attention_mask", mask],
      ]),
    ),
  );
  /** Computed from the whole model in real numbers. */
  const distance = (model: string, found: Tensor): number => {
    const dims = new Map(Object.entries({ batch: 1, seq: 4, past: 0 }));
    const exact = runImported(
      importModel(bindConstantInputs(readModel(model), dims), { dims }),
      new Map([
        ["input_ids", ids.tensor],
        ["attention_mask", mask.tensor],
      ]),
    );
    return largestDifference(found.data, exact.get("logits")!.data);
  };
  const owned = ["--base", file, "--private", "*layers.1.*", "--calibrate", dir];

  it("names every output without a request, and computes only requested ones", async () => {
    const out = join(dir, "build");
    const refused = await marillc("compile", file, ...sizes(0), ...owned, "-o", out);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(
      /MRL0301: output "logits"[\s\S]*outputs without a --reveal of their own are left out: present\.1\.key, present\.1\.value/,
    );
    const made = await marillc("compile", file, ...sizes(0), ...owned, "--reveal", "logits:client", "-o", out);
    expect(made.err).toBe("");
    expect(made.out).toContain(`not computed: ${cache.join(", ")}; no --reveal names them`);
    // The client's own layer is a node that reads lengths and an empty past, whether or not the program needs them.
    const { outputs } = await queryOnce(out, [calibration]);
    expect([...outputs.keys()]).toEqual(["logits"]);
    expect(distance(file, outputs.get("logits")!)).toBeLessThan(await declaredError(out, calibration));
  }, 30_000);

  it("computes the client's half-precision layers in single precision, and their norms outside attention", async () => {
    const qwen = file.replace("genai-llama-int4-prompt", "genai-qwen3-fp16-next");
    const out = join(dir, "half");
    const owned16 = ["--base", qwen, "--private", "*layers.1.*", "--calibrate", dir, "--reveal", "logits:client"];
    const made = await marillc("compile", qwen, ...sizes(0), ...owned16, "-o", out);
    expect(made.err).toBe("");
    const { outputs } = await queryOnce(out, [calibration]);
    expect(distance(qwen, outputs.get("logits")!)).toBeLessThan(await declaredError(out, calibration));
  }, 30_000);

  it("gives the same with check", async () => {
    const { code, json } = await marillcJson<{ notComputed: string[] }>(
      ...["check", file, ...sizes(0), ...owned, "--reveal", "logits:client", "--no-verify"],
    );
    expect([code, json.notComputed]).toEqual([0, cache]);
    const behind = await marillc("check", file, ...sizes(3), "--dim", "kv_cache_dim=16", "--fix", "attention_mask=1");
    expect(behind.out).toMatch(/PASSED\n$/);
    const unknown = await marillc("check", file, ...sizes(3), "--dim", "kv_cache_dim=16");
    expect(unknown.out).toMatch(/MRL0404: GroupQueryAttention: a cache behind a past that may not be full/);
  });
});

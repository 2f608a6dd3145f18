import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveModelOptions } from "../../compiler/api/model-options.ts";
import { checkFlow } from "../../compiler/audit/check-flow.ts";
import { writeBuild } from "../../compiler/build/write-build.ts";
import { exportClientDecodeGraphs } from "../../compiler/decode/client-decode-graphs.ts";
import { readTokenizer } from "../../compiler/inputs/tokenizer.ts";
import { loadModel } from "../../compiler/load/load-model.ts";
import type { ClientLayers, NamedTensors } from "../../compiler/run/client-layers.ts";
import { openCachedLayers } from "../../compiler/run/client-layers-cached.ts";
import { openFullContextLayers } from "../../compiler/run/client-layers-full-context.ts";
import { textInputOf, tokenFeeds } from "../../compiler/run/generate-text.ts";
import { evaluateOp } from "../../ir/interpret.ts";
import { opsOf } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { withModel } from "../compiler/audit/files.ts";
import { floatTensor } from "../compiler/onnx/format/build-model.ts";
import { dateBuild, dateOptions as options, type SharedBuild } from "../harness/shared-builds.ts";
import { createNoise } from "../passes/models.ts";

/*
 * The client's own layers of the date model, which has three of them frozen: over the window, as it is without a cache,
 * and row by row from the keys and values that it keeps in the clear.
 */
const fixture = resolve(import.meta.dirname, "../../fixtures/date-llama");
const dir = mkdtempSync(join(tmpdir(), "marillc-client-steps-"));
afterAll(() => rmSync(dir, { recursive: true }));
let artifacts: SharedBuild;
let layers: { readonly window: ClientLayers; readonly rows: ClientLayers };

beforeAll(async () => {
  artifacts = dateBuild();
  writeBuild(dir, artifacts.files);
  const { places, clear } = artifacts.manifest.decode!;
  const folder = join(dir, "client");
  layers = { window: await openFullContextLayers(folder, places), rows: await openCachedLayers(folder, clear!) };
});
afterAll(async () => {
  await Promise.all([layers.window.release(), layers.rows.release()]);
});

/** A text of the window, of which the first places are the prompt. */
function text(): { readonly inputs: NamedTensors; readonly start: number; readonly end: number } {
  const tokens = readTokenizer(fixture);
  const ids = tokens.encode("date 3rd of March, 1987=1987-03-03");
  return { inputs: tokenFeeds(textInputOf(artifacts.manifest), ids, tokens.padToken), start: 20, end: ids.length };
}
const axes = (entries: readonly { readonly tensor: string; readonly axis: number }[]) =>
  new Map(entries.map(({ tensor, axis }) => [tensor, axis]));

function close(found: NamedTensors, expected: NamedTensors): void {
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, { tensor }] of found) {
    const wanted: Tensor = expected.get(name)!.tensor;
    expect(tensor.shape).toEqual(wanted.shape);
    const apart = tensor.data.reduce((most, value, at) => Math.max(most, Math.abs(value - wanted.data[at]!)), 0);
    expect(apart).toBeLessThan(2e-4);
  }
}

describe("the client's own layers, row by row", () => {
  it("they give the full context's result at every position", async () => {
    const { inputs, start, end } = text();
    const cuts = axes(artifacts.manifest.decode!.cuts);
    // Half of the window, the window, and each place behind the text: half of the window may begin a text as well.
    for (const [span, keep] of [
      [[0, 24], start],
      [[0, 48], start],
      ...Array.from({ length: end - start }, (_, k) => [[start + k, start + k + 1], start + k + 1] as const),
    ] as const) {
      const [window, rows] = [layers.window, layers.rows].map((each) => each.runBefore(inputs, span, keep, cuts));
      close(await rows!, await window!);
    }
  });

  it("they give the outputs after the secure part", async () => {
    const owned = loadModel(resolveModelOptions(options));
    const { module, weights, sources } = owned.imported;
    const head = opsOf(module).find(({ operands }) => operands.includes("lm_head.weight"))!;
    const tail = { value: head.operands[0]!, source: sources.get(head.operands[0]!)!, output: "logits" };
    const steps = exportClientDecodeGraphs(owned, { inputs: ["input_ids"], cuts: [], outputs: [], tails: [tail] }, 48);
    if ("code" in steps) throw new Error(steps.message);
    expect([...steps.files.keys()]).toEqual(["head-step.onnx"]);
    writeFileSync(join(dir, "head-step.onnx"), steps.files.get("head-step.onnx")!);
    const rows = await openCachedLayers(dir, { places: "marillc.positions", kept: [] });
    const hidden = createNoise(3)([1, 1, 128], 4);
    const revealed: NamedTensors = new Map([[tail.source, { dtype: "float32", tensor: hidden }]]);
    const expected = evaluateOp("matmul", [hidden, weights.get("lm_head.weight")!], {}, { kind: "f32" });
    close(
      await rows.runAfter(revealed, [21, 22], new Map()),
      new Map([["logits", { dtype: "float32", tensor: expected }]]),
    );
    await rows.release();
  });

  it("they take less time for a position than for the full context", async () => {
    const { inputs, start } = text();
    const cuts = axes(artifacts.manifest.decode!.cuts);
    const least = async (of: ClientLayers): Promise<number> => {
      const times: number[] = [];
      for (let place = start; place < start + 12; place++) {
        const began = performance.now();
        await of.runBefore(inputs, [place, place + 1], place + 1, cuts);
        times.push(performance.now() - began);
      }
      return Math.min(...times);
    };
    await layers.rows.runBefore(inputs, [0, 48], start, cuts);
    const [row, window] = [await least(layers.rows), await least(layers.window)];
    console.log(
      `in the clear: ${row.toFixed(2)} ms for a place, ${window.toFixed(2)} ms over the window: 1 in ${(window / row).toFixed(1)}`,
    );
    expect(row).toBeLessThan(window);
  });
});

it("where they cannot run position by position, they run over the full context, and compile reports why", () => {
  const client = { inputs: ["input_ids"], cuts: [], outputs: ["/model/layers.0/Add_output_0"], tails: [] };
  const of = (length: number) => exportClientDecodeGraphs(loadModel(resolveModelOptions(options)), client, length);
  expect(of(48)).toHaveProperty("files");
  expect(of(40)).toMatchObject({
    code: "MRL0308",
    message: expect.stringContaining("cannot be run position by position"),
  });
});

describe("the flow checker on their graphs", () => {
  const findings = (files: SharedBuild["files"]): readonly string[] =>
    checkFlow(files).findings.map(({ code, at }) => `${code} ${at}`);
  const step = "client/public-step.onnx";

  it("it accepts the graphs of a build", () => expect(findings(artifacts.files)).toEqual([]));

  it("it refuses a table that the manifest does not list", () => {
    const secret = floatTensor("w", [4], [1, 2, 3, 4]);
    const more = withModel(artifacts.files, step, ({ graph }) => void graph!.initializer!.push(secret));
    expect(findings(more)).toContain(`MRL0912 ${step}`);
  });

  it("it refuses an input or an output that the manifest does not name", () => {
    for (const border of ["input", "output"] as const) {
      const more = withModel(artifacts.files, step, ({ graph }) => {
        graph![border] = [...graph![border]!, { ...graph![border]![0]!, name: "more" }];
      });
      expect(findings(more)).toContain(`MRL0912 ${step}`);
    }
  });

  it("it refuses a missing graph, and a graph that the manifest does not mention", () => {
    expect(findings(new Map([...artifacts.files].filter(([path]) => path !== step)))).toContain(
      "MRL0912 client/public.onnx",
    );
    const unknown = [...artifacts.files].map(([path, bytes]): [string, Uint8Array] => {
      if (!path.endsWith("manifest.json")) return [path, bytes];
      const { decode, ...manifest } = JSON.parse(new TextDecoder().decode(bytes)) as { decode: object };
      const json = { ...manifest, decode: { ...decode, clear: undefined } };
      return [path, new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`)];
    });
    expect(findings(new Map(unknown))).toContain(`MRL0912 ${step}`);
  });
});

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { tensor } from "../../../ir/tensor.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { checkNets, netFile } from "./nets.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-fused-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("a decoder in operators of com.microsoft, with a 4-bit matrix", () => {
  checkNets(dir, { fused: { attention: 1, "rms-norm": 3 } });
});

describe("an adapter in either format", () => {
  const recorded = JSON.parse(readFileSync(netFile("lora-run").replace(".onnx", ".json"), "utf8")) as Record<
    "x" | "y",
    readonly number[]
  >;
  const write = (file: string, x: readonly number[]): string => {
    writeFileSync(file, writeNpz(new Map([["x", { dtype: "float32", tensor: tensor([2, 6], x) }]])));
    return file;
  };
  const input = write(join(dir, "x.npz"), recorded.x);
  const calibrate = join(dir, "calibration");
  mkdirSync(calibrate);
  for (const seed of [2, 3, 4]) write(join(calibrate, `${seed}.npz`), numbers(12, seed, 1));

  it.each([
    ["lora-inputs", "lora.onnx_adapter"],
    ["lora-base", "lora-peft"],
  ])("%s with %s: the logits of onnxruntime with the adapter active, within the declared error", async (name, file) => {
    const out = join(dir, file);
    // This random adapter moves activations further than the margin for trained ones allows.
    const [adapter, margin] = [netFile(file).replace(/\.onnx$/, ""), 16];
    const reveal = { y: "client" } as const;
    const { manifest } = build(out, { model: netFile(name), adapter, calibrate, margin, reveal });
    const secret = manifest.weights.filter(({ label }) => label !== "public");
    expect(secret).toHaveLength(4);
    const { outputs, report } = await queryOnce(out, [input]);
    const bound = await declaredError(out, input);
    expect(largestDifference(outputs.get("y")!.data, recorded.y)).toBeLessThan(bound);
    expect(bound).toBeLessThan(Math.max(...recorded.y.map(Math.abs)) / 4);
    expect(report.measured).toEqual(report.predicted);
  });
});

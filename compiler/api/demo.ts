import { join } from "node:path";
import { packageRoot } from "../build/index.ts";
import type { ModelOptions } from "./model-options.ts";

const fixture = join(packageRoot, "fixtures", "date-llama");

/** What the demo compiles: a small LLaMA whose private LoRA adapter writes dates in ISO 8601. Its files are in the package. */
export const demoModel: ModelOptions = {
  model: join(fixture, "base-ts17.onnx"),
  adapter: join(fixture, "adapter"),
  reveal: { logits: "client" },
  calibrate: join(fixture, "calibration.jsonl"),
};

/** A date that the base model cannot read. */
export const demoPrompt = "date 3rd of March, 1987=";

import { join } from "node:path";
import { packageRoot } from "../build/index.ts";
import type { ModelOptions } from "./model-options.ts";

const fixture = join(packageRoot, "fixtures", "date-llama");

/** The model of the demo: a small LLaMA whose private LoRA adapter writes dates in ISO 8601. The package has its files. */
export const demoModel: ModelOptions = {
  model: join(fixture, "base-ts17.onnx"),
  adapter: join(fixture, "adapter"),
  reveal: { logits: "client" },
  calibrate: join(fixture, "calibration.jsonl"),
  quality: "fast",
};

/** A date that the base model, without the adapter, cannot read. */
export const demoPrompt = "date 3rd of March, 1987=";

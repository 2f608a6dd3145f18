import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { exceptionTable, isPassing } from "./export-table.ts";
import { type FamilyResult, familyResult } from "./family-result.ts";

/** Files of one tool, recognized by the beginning of their folders' names. The first match counts. */
interface ExporterTool {
  readonly title: string;
  readonly folders: RegExp;
}

const tools: readonly ExporterTool[] = [
  { title: "model builder (`onnxruntime_genai.models.builder`), float32", folders: /^genai-\w+-fp32-/ },
  { title: "— float16, as for CUDA", folders: /^genai-\w+-fp16-/ },
  { title: "— 4 bits", folders: /^genai-\w+-int4-/ },
  { title: "— 8 bits, `use_qdq`, quantised embedding, zero points, `fuse_qkv=false`", folders: /^genai-/ },
  { title: "`onnxruntime.transformers.optimizer`", folders: /^fused-/ },
  { title: "— and `convert_float_to_float16`", folders: /^half-/ },
  { title: "a session of ONNX Runtime, saved: basic", folders: /^basic-/ },
  { title: "— extended", folders: /^extended-/ },
  { title: "onnxslim", folders: /^slim-/ },
  { title: "onnxsim", folders: /^sim-/ },
];

export interface ExporterReport {
  readonly exports: number;
  readonly passed: number;
  /** Both tables, as Markdown. */
  readonly text: string;
}

/** With past keys and values, the attention mask must be known: all positions are valid. */
const fixedInputsOf = (name: string): ReadonlyMap<string, number> =>
  new Map(name.endsWith("-next") ? [["attention_mask", 1]] : []);

/** Every file of a folder that fixtures/exporters/export.py wrote. `progress` is called before each file. */
export async function exporterReport(
  folder: string,
  progress: (name: string) => void = () => {},
): Promise<ExporterReport> {
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "test_data_set_0", "output_0.pb")));
  const results = new Map<string, FamilyResult>();
  for (const name of names) {
    progress(name);
    results.set(name, await familyResult(join(folder, name), { fixed: fixedInputsOf(name) }));
  }
  const rows = tools.flatMap(({ title }, at) => {
    const mine = names.filter((name) => tools.findIndex(({ folders }) => folders.test(name)) === at);
    if (mine.length === 0) return [];
    const count = (of: (result: FamilyResult) => boolean): string =>
      `${mine.filter((name) => of(results.get(name)!)).length} of ${mine.length}`;
    return [[title, count(({ imported }) => imported.kind === "passes"), count(isPassing)]];
  });
  const table = [["tool", "in real numbers", "on shares"], ["---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
  const others = exceptionTable([...results].map(([name, result]) => ({ name, result })));
  const passed = [...results.values()].filter(isPassing).length;
  return { exports: names.length, passed, text: [table, others].filter((each) => each !== undefined).join("\n\n") };
}

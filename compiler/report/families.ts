import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type FamilyResult, familyResult } from "./family-result.ts";
import type { Outcome } from "./node-result.ts";

/** `llama-ts17-eager-static`: family, exporter and opset, attention, option. */
const folderName = /^(\w+)-(ts|dy)(\d+)-(eager|sdpa)-(.+)$/;

const exporters = { ts: "TorchScript", dy: "dynamo" } as const;

/** What an export is like, beside its attention. */
const options = ["static", "dynamic", "external", "unfolded", "unmasked", "cache", "cache-dynamic"] as const;

interface Export {
  readonly name: string;
  readonly family: string;
  readonly exporter: keyof typeof exporters;
  readonly opset: number;
  readonly column: string;
  readonly result: FamilyResult;
}

export interface FamilyReport {
  readonly exports: number;
  /** Names of those that pass both ways. */
  readonly passed: readonly string[];
  /** Both tables, as Markdown. */
  readonly text: string;
}

const attentions = ["eager", "sdpa"] as const;
const columns: readonly string[] = [
  ...attentions.map((attention) => `static, ${attention}`),
  ...options.filter((option) => option !== "static"),
];

/** Every export of a folder; `progress` is told each as it is done. */
export async function familyReport(folder: string, progress: (name: string) => void = () => {}): Promise<FamilyReport> {
  const exports: Export[] = [];
  for (const name of readdirSync(folder).sort()) {
    const parts = folderName.exec(name);
    if (!parts || !existsSync(join(folder, name, "model.onnx"))) continue;
    const [, family, exporter, opset, attention, option] = parts as unknown as [
      string,
      string,
      "ts",
      string,
      string,
      string,
    ];
    const column = option === "static" ? `static, ${attention}` : option;
    exports.push({
      name,
      family,
      exporter,
      opset: Number(opset),
      column,
      result: await familyResult(join(folder, name)),
    });
    progress(name);
  }
  const passed = exports.filter(({ result }) => passes(result)).map(({ name }) => name);
  const count = `${passed.length} of ${exports.length} exports pass, on real numbers and on shares.`;
  const faults = exceptions(exports);
  return { exports: exports.length, passed, text: [count, table(exports), ...(faults ? [faults] : [])].join("\n\n") };
}

const passes = ({ imported, secure }: FamilyResult): boolean => imported.kind === "passes" && secure?.kind === "passes";

function table(exports: readonly Export[]): string {
  const keyOf = ({ family, exporter }: Export): string => `${family} | ${exporters[exporter]}`;
  const rows = [...new Set(exports.map(keyOf))].map((key) => {
    const mine = exports.filter((each) => keyOf(each) === key);
    const cells = columns.map((column) =>
      mine
        .filter((each) => each.column === column)
        .sort((a, b) => a.opset - b.opset)
        .map(({ opset, result }) => (passes(result) ? `${opset}` : `(${opset})`))
        .join(" "),
    );
    const errors = [mine.map(({ result }) => result.imported), mine.map(({ result }) => result.secure)].map(worst);
    return `| ${[key, ...cells, ...errors].join(" | ")} |`;
  });
  const head = ["family", "exporter", ...columns, "error on reals", "error on shares"];
  return [`| ${head.join(" | ")} |`, `|${" --- |".repeat(head.length)}`, ...rows].join("\n");
}

/** The largest error beside its own tolerance, of those that pass. */
function worst(outcomes: readonly (Outcome | undefined)[]): string {
  const passed = outcomes.filter((outcome) => outcome?.kind === "passes");
  if (passed.length === 0) return "";
  const { error, tolerance } = passed.reduce((a, b) => (b.error / b.tolerance > a.error / a.tolerance ? b : a));
  return `${error.toExponential(0)} of ${tolerance.toExponential(0)}`;
}

/** Every export that does not pass, where, and all that is said against it. */
function exceptions(exports: readonly Export[]): string | undefined {
  const rows = exports.flatMap(({ name, result: { imported, secure } }) =>
    [["import", imported] as const, ["on shares", secure] as const].flatMap(([where, outcome]) =>
      !outcome || outcome.kind === "passes" ? [] : [`| ${name} | ${where} | ${reasons(outcome)} |`],
    ),
  );
  return rows.length === 0 ? undefined : ["| export | where | why |", "| --- | --- | --- |", ...rows].join("\n");
}

function reasons(outcome: Exclude<Outcome, { kind: "passes" }>): string {
  if (outcome.kind === "differs") return outcome.because;
  const all = new Set(outcome.because.map(({ code, message }) => `${code}: ${message}`));
  return [...all].join("; ").replaceAll("|", "\\|");
}

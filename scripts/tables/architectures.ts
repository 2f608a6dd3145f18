import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FamilyResult, familyResult } from "./family-result.ts";
import type { TestOutcome } from "./node-result.ts";

/** `mpt-ts17-eager-static`: architecture, exporter with opset, attention. */
const folderName = /^(.+)-(ts|dy)(\d+)-(?:eager|sdpa)-static$/;

const columns = [
  { key: "ts17", title: "TorchScript 17, eager" },
  { key: "dy18", title: "dynamo 18, sdpa" },
  { key: "dy20", title: "dynamo 20, eager" },
] as const;

interface ArchitectureRow {
  readonly architecture: string;
  readonly column: string;
  /** Absent: torch cannot export it, for the reason in `missing`. */
  readonly result?: FamilyResult;
  readonly missing?: string;
}

export interface ArchitectureReport {
  readonly exports: number;
  readonly passed: number;
  /** Both tables, as Markdown. */
  readonly text: string;
}

/**
 * The result of one export. result.json beside the export keeps it, so that a sweep of hours continues where it stopped;
 * delete that file to run the export again. An internal error is a result too.
 */
async function resultOf(folder: string): Promise<FamilyResult> {
  const cached = join(folder, "result.json");
  if (existsSync(cached)) return JSON.parse(readFileSync(cached, "utf8")) as FamilyResult;
  const result = await familyResult(folder).catch((error: unknown): FamilyResult => {
    return { imported: { kind: "differs", because: `internal error: ${String(error).split("\n")[0]}` }, operators: {} };
  });
  writeFileSync(cached, JSON.stringify(result));
  return result;
}

/** Every export of a folder that fixtures/families/architectures.py wrote. `progress` is called after each export. */
export async function architectureReport(
  folder: string,
  progress: (name: string) => void = () => {},
): Promise<ArchitectureReport> {
  const list = join(folder, "failed.json");
  const failed = existsSync(list) ? (JSON.parse(readFileSync(list, "utf8")) as Record<string, string>) : {};
  const rows: ArchitectureRow[] = [];
  for (const name of [...new Set([...readdirSync(folder), ...Object.keys(failed)])].sort()) {
    const [, architecture, exporter, opset] = folderName.exec(name) ?? [];
    if (architecture === undefined) continue;
    const row = { architecture, column: `${exporter}${opset}` };
    const isComplete = existsSync(join(folder, name, "test_data_set_0", "output_0.pb"));
    if (isComplete) rows.push({ ...row, result: await resultOf(join(folder, name)) });
    else if (failed[name] !== undefined) rows.push({ ...row, missing: failed[name] });
    progress(name);
  }
  const exported = rows.filter(({ result }) => result);
  const passed = exported.filter(passes).length;
  const count = `${passed} of ${exported.length} exports of ${new Set(rows.map(({ architecture }) => architecture)).size} architectures pass, on real numbers and on shares.`;
  return { exports: exported.length, passed, text: [count, table(rows), reasons(rows)].join("\n\n") };
}

const passes = ({ result }: ArchitectureRow): boolean =>
  result?.imported.kind === "passes" && result.secure?.kind === "passes";

function table(rows: readonly ArchitectureRow[]): string {
  const cell = (architecture: string, key: string): string => {
    const row = rows.find((each) => each.architecture === architecture && each.column === key);
    if (!row) return "";
    if (!row.result) return "not exported";
    return passes(row) ? "passes" : row.result.imported.kind === "passes" ? "import only" : "refused";
  };
  const lines = [...new Set(rows.map(({ architecture }) => architecture))].map(
    (architecture) => `| ${[architecture, ...columns.map(({ key }) => cell(architecture, key))].join(" | ")} |`,
  );
  const head = ["architecture", ...columns.map(({ title }) => title)];
  return [`| ${head.join(" | ")} |`, `|${" --- |".repeat(head.length)}`, ...lines].join("\n");
}

/** Why exports do not pass: all blockers, each reason once. */
function reasons(rows: readonly ArchitectureRow[]): string {
  const lines = rows.flatMap(({ architecture, column, result, missing }) => {
    const outcome = result && (result.imported.kind === "passes" ? result.secure : result.imported);
    if (outcome?.kind === "passes") return [];
    const [where, why] = outcome
      ? [result.imported.kind === "passes" ? "on shares" : "import", reasonText(outcome)]
      : ["torch", missing ?? ""];
    return [`| ${architecture} | ${column} | ${where} | ${why.replaceAll("|", "\\|").replace(/\s+/g, " ")} |`];
  });
  return ["| architecture | export | where | why |", "| --- | --- | --- | --- |", ...lines].join("\n");
}

/** Messages that differ only in names and numbers are one reason, with a count. */
function reasonText(outcome: Exclude<TestOutcome, { kind: "passes" }>): string {
  if (outcome.kind === "differs") return outcome.because;
  const reasonsByPattern = new Map<string, { readonly text: string; count: number }>();
  for (const { code, message } of outcome.because) {
    const text = `${code}: ${message}`;
    const key = text.replace(/%[\w.:/-]+|"[^"]*"/g, "%").replace(/-?\d[\d.]*(e[+-]?\d+)?/g, "#");
    const known = reasonsByPattern.get(key);
    if (known) known.count++;
    else reasonsByPattern.set(key, { text, count: 1 });
  }
  return [...reasonsByPattern.values()]
    .map(({ text, count }) => (count > 1 ? `${text} (${count} times alike)` : text))
    .join("; ");
}

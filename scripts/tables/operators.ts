import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type NodeResult, nodeResult, type TestOutcome } from "./node-result.ts";

/** Explanations of results that differ, by test. */
const exceptionNotes: Readonly<Record<string, string>> = {
  attention_23_boolmask_fullymasked_row_nan_robustness:
    "a row without any score has no defined result unless the mask is known: then it is 0",
};

export interface OperatorReport {
  readonly tests: number;
  /** Names of tests without their common prefix `test_`. */
  readonly passed: readonly string[];
  readonly refused: readonly string[];
  readonly differ: readonly string[];
  /** Tests that pass as a program of the parties. */
  readonly onShares: readonly string[];
  /** Tests that pass, in which nothing is secret. */
  readonly folded: readonly string[];
  /** Both tables, as Markdown. */
  readonly text: string;
}

type NamedResult = readonly [name: string, result: NodeResult];

/** Every test of a folder in the layout of the ONNX project's node tests. */
export function operatorReport(folder: string): OperatorReport {
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
  const results = names.sort().map((name): NamedResult => [name.replace(/^test_/, ""), nodeResult(join(folder, name))]);
  const of = (holds: (result: NodeResult) => boolean): string[] =>
    results.filter(([, result]) => holds(result)).map(([name]) => name);
  const passes = (result: NodeResult): boolean => result.imported.kind === "passes";
  const report = {
    tests: results.length,
    passed: of(passes),
    refused: of(({ imported }) => imported.kind === "refused"),
    differ: of(({ imported }) => imported.kind === "differs"),
    onShares: of((result) => result.secure?.outcome.kind === "passes"),
    folded: of((result) => passes(result) && result.secure === undefined),
  };
  return { ...report, text: [summary(report), byOperator(results), exceptions(results)].join("\n\n") };
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

function summary({ tests, passed, refused, differ, onShares, folded }: Omit<OperatorReport, "text">): string {
  return [
    `${passed.length} of ${tests} tests pass the import and the interpreter (${percent(passed.length, tests)}).`,
    `Refused: ${refused.length}. Different result: ${differ.length}. Of those that pass, ${folded.length} leave nothing`,
    `secret, and ${onShares.length} pass as a program of the parties.`,
  ].join(" ");
}

/** Of those that pass, the largest error and the largest tolerance. */
function worst(outcomes: readonly TestOutcome[]): string {
  const passed = outcomes.filter((outcome) => outcome.kind === "passes");
  if (passed.length === 0) return "";
  const most = (of: (outcome: (typeof passed)[number]) => number): string => {
    const value = Math.max(...passed.map(of));
    return value === 0 ? "0" : value.toExponential(0);
  };
  const tolerance = most((outcome) => outcome.tolerance);
  return tolerance === "0" ? "0" : `${most((outcome) => outcome.error)} of ${tolerance}`;
}

/** One row for each operator, with the inputs that must be known in any of its tests. */
function byOperator(results: readonly NamedResult[]): string {
  const groups = new Map<string, NodeResult[]>();
  for (const [, result] of results) {
    const operator = result.operators.join(", ") || "(not read)";
    groups.set(operator, [...(groups.get(operator) ?? []), result]);
  }
  const rows = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([operator, all]) => {
      const count = (holds: (result: NodeResult) => boolean): number => all.filter(holds).length;
      const known = [...new Set(all.flatMap((result) => result.secure?.known ?? result.known))];
      const cells = [
        operator,
        all.length,
        count(({ imported }) => imported.kind === "passes"),
        worst(all.map(({ imported }) => imported)),
        count(({ secure }) => secure?.outcome.kind === "passes") || "",
        worst(all.flatMap(({ secure }) => (secure ? [secure.outcome] : []))),
        known.join(", "),
      ];
      return `| ${cells.join(" | ")} |`;
    });
  const head = "| operator | tests | pass | error | pass on shares | error | inputs that must be known |";
  return [head, "| --- | --: | --: | --- | --: | --- | --- |", ...rows].join("\n");
}

/** Every test that does not pass: where, and why. */
function exceptions(results: readonly NamedResult[]): string {
  const rows = results.flatMap(([name, { imported, secure }]) => {
    const found: (readonly [string, TestOutcome])[] = [["import", imported]];
    if (imported.kind === "passes" && secure) found.push(["on shares", secure.outcome]);
    return found.flatMap(([where, outcome]) =>
      outcome.kind === "passes" ? [] : [`| ${name} | ${where} | ${outcome.kind} | ${reason(name, outcome)} |`],
    );
  });
  return ["| test | where | | why |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function reason(name: string, outcome: Exclude<TestOutcome, { kind: "passes" }>): string {
  if (outcome.kind === "differs")
    return `${outcome.because}${Object.hasOwn(exceptionNotes, name) ? `: ${exceptionNotes[name]}` : ""}`;
  const [first] = outcome.because;
  return `${first!.code}: ${first!.message.replaceAll("|", "\\|")}`;
}

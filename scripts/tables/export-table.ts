import { bytesText, secondsText } from "../../compiler/report/text/index.ts";
import type { FamilyResult } from "./family-result.ts";
import type { TestOutcome } from "./node-result.ts";

const exporters = { ts: "TorchScript", dy: "dynamo" } as const;

/** One export of a model with its result. */
export interface ExportResult {
  readonly name: string;
  readonly family: string;
  readonly exporter: keyof typeof exporters;
  readonly opset: number;
  /** The column of the table that it belongs to. */
  readonly column: string;
  readonly result: FamilyResult;
}

type PassedOutcome = Extract<TestOutcome, { kind: "passes" }>;

/** The import passes, and so does the run on shares where there was one. */
export const isPassing = ({ imported, secure }: FamilyResult): boolean =>
  imported.kind === "passes" && (!secure || secure.kind === "passes");

const markdownRows = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** The opsets of each family, exporter and column, with the largest errors. Brackets: does not pass; r: reals only. */
export function exportTable(title: string, exports: readonly ExportResult[], columns: readonly string[]): string {
  const keyOf = ({ family, exporter }: ExportResult): string => `${family} | ${exporters[exporter]}`;
  const rows = [...new Set(exports.map(keyOf))].map((key) => {
    const mine = exports.filter((each) => keyOf(each) === key);
    const cells = columns.map((column) =>
      mine
        .filter((each) => each.column === column)
        .sort((a, b) => a.opset - b.opset)
        .map(cell)
        .join(" "),
    );
    const errors = [mine.map(({ result }) => result.imported), mine.map(({ result }) => result.secure)].map(worst);
    return [key, ...cells, ...errors];
  });
  return markdownRows([title, "exporter", ...columns, "error on reals", "error on shares"], rows);
}

const cell = ({ opset, result }: ExportResult): string =>
  !isPassing(result) ? `(${opset})` : result.secure ? `${opset}` : `${opset}r`;

const errorText = ({ error, tolerance }: PassedOutcome): string =>
  `${error.toExponential(0)} of ${tolerance.toExponential(0)}`;

/** Of those that pass, the error that is the largest part of its tolerance. */
function worst(outcomes: readonly (TestOutcome | undefined)[]): string {
  const passed = outcomes.filter((outcome) => outcome?.kind === "passes");
  if (passed.length === 0) return "";
  return errorText(passed.reduce((a, b) => (b.error / b.tolerance > a.error / a.tolerance ? b : a)));
}

/** The cost of three parties for one export of each family and column. */
export function costTable(exports: readonly ExportResult[], columns: readonly string[]): string | undefined {
  const rows = columns.flatMap((column) => {
    const ran = exports.filter((each) => each.column === column && each.result.secure?.run);
    return [...new Map(ran.map((each) => [each.family, each] as const).reverse()).values()].reverse();
  });
  const cells = rows.map(({ name, result }) => {
    const { rounds, online, dealt, setup, seconds, weight } = result.secure!.run!;
    const bytes = [online, dealt, setup].map(bytesText);
    return [
      name,
      `${weight}`,
      errorText(result.secure as PassedOutcome),
      `${rounds}`,
      ...bytes,
      ...seconds.map(secondsText),
    ];
  });
  const head = [
    "export",
    "bits",
    "error on shares",
    "rounds",
    "online",
    "dealt",
    "setup",
    "compile",
    "prepare",
    "query",
  ];
  return rows.length === 0 ? undefined : markdownRows(head, cells);
}

/** Every export that does not pass: where, and all blockers. */
export function exceptionTable(exports: readonly Pick<ExportResult, "name" | "result">[]): string | undefined {
  const rows = exports.flatMap(({ name, result: { imported, secure } }) =>
    [["import", imported] as const, ["on shares", secure] as const].flatMap(([where, outcome]) =>
      !outcome || outcome.kind === "passes" ? [] : [[name, where, reasons(outcome)]],
    ),
  );
  return rows.length === 0 ? undefined : markdownRows(["export", "where", "why"], rows);
}

function reasons(outcome: Exclude<TestOutcome, { kind: "passes" }>): string {
  if (outcome.kind === "differs") return outcome.because;
  const all = new Set(outcome.because.map(({ code, message }) => `${code}: ${message}`));
  return [...all].join("; ").replaceAll("|", "\\|");
}

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { costTable, type ExportResult, exceptionTable, exportTable, isPassing } from "./export-table.ts";
import { familyResult } from "./family-result.ts";

/** `llama-ts17-eager-static`, `lstm-dy18-deep`: family, exporter with opset, attention if there is one, option. */
const folderName = /^(\w+)-(ts|dy)(\d+)-(?:(eager|sdpa)-)?(.+)$/;

/** The families of one table. */
interface FamilyKind {
  /** Names the table on the page, and heads its first column. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  /** The first kind whose pattern matches takes the family. */
  readonly families: RegExp;
  /** Columns whose cost on shares has a table. */
  readonly costs: readonly string[];
}

const kinds: readonly FamilyKind[] = [
  {
    name: "images",
    title: "network",
    families: /^(resnet|densenet|squeezenet|mobilenet)/,
    columns: ["static", "dynamic", "unfolded", "large"],
    costs: ["static", "large"],
  },
  {
    name: "cells",
    title: "cell",
    families: /_cell$|^fastgrnn$/,
    columns: ["unrolled", "loop", "scan"],
    costs: ["unrolled"],
  },
  {
    name: "recurrent layers",
    title: "layer",
    families: /^(lstm|gru|rnn)/,
    columns: [
      ...["plain", "state", "bidirectional", "layers", "deep", "unbiased", "single"],
      ...["packed", "lengths", "dynamic", "unfolded"],
    ],
    costs: ["plain", "deep"],
  },
  {
    name: "transformers",
    title: "family",
    families: /./,
    columns: [
      ...["static, eager", "static, sdpa", "dynamic", "external", "unfolded"],
      ...["unmasked", "cache", "cache-dynamic"],
    ],
    costs: [],
  },
];

const kindOf = (family: string): FamilyKind => kinds.find(({ families }) => families.test(family))!;

/** The column of an option: its own, or the one that its name ends with (`plain-dynamic` goes to `dynamic`). */
function columnOf({ columns }: FamilyKind, option: string, attention: string | undefined): string {
  const named = attention && option === "static" ? `static, ${attention}` : option;
  return columns.includes(named) ? named : (columns.find((column) => named.endsWith(column)) ?? named);
}

export interface FamilyReport {
  readonly exports: number;
  /** Names of those that pass both ways. */
  readonly passed: readonly string[];
  /** Tables as Markdown, by the name of their kind. */
  readonly texts: ReadonlyMap<string, string>;
}

export interface FamilyOptions {
  /** Names of the exports that three parties run too; default: all. */
  readonly shares?: RegExp;
  /** Called after each export. */
  readonly progress?: (name: string) => void;
}

/** Every export of a folder. */
export async function familyReport(folder: string, { shares, progress }: FamilyOptions = {}): Promise<FamilyReport> {
  const exports: ExportResult[] = [];
  for (const name of readdirSync(folder).sort()) {
    const parts = folderName.exec(name);
    if (!parts || !existsSync(join(folder, name, "model.onnx"))) continue;
    const [, family, exporter, opset, attention, option] = parts as unknown as [string, string, "ts", ...string[]];
    const result = await familyResult(join(folder, name), { shares: !shares || shares.test(name) });
    const column = columnOf(kindOf(family), option!, attention);
    exports.push({ name, family, exporter, opset: Number(opset), column, result });
    progress?.(name);
  }
  const texts = kinds.flatMap((kind) => {
    const mine = exports.filter(({ family }) => kindOf(family) === kind);
    return mine.length === 0 ? [] : [[kind.name, textOf(kind, mine)] as const];
  });
  const passed = exports.filter(({ result }) => isPassing(result)).map(({ name }) => name);
  return { exports: exports.length, passed, texts: new Map(texts) };
}

function textOf({ title, columns, costs }: FamilyKind, exports: readonly ExportResult[]): string {
  const passed = exports.filter(({ result }) => isPassing(result));
  const shared = passed.filter(({ result }) => result.secure).length;
  const how =
    shared === passed.length ? ", on real numbers and on shares" : ` on real numbers, ${shared} of them on shares too`;
  const tables = [exportTable(title, exports, columns), costTable(exports, costs), exceptionTable(exports)];
  return [`${passed.length} of ${exports.length} exports pass${how}.`, ...tables.filter(Boolean)].join("\n\n");
}

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { costTable, type ExportResult, exceptionTable, exportTable, isPassing } from "./export-table.ts";
import { familyResult } from "./family-result.ts";

/** `llama-ts17-eager-static`, `lstm-dy18-deep`: family, exporter and opset, attention if there is one, option. */
const folderName = /^(\w+)-(ts|dy)(\d+)-(?:(eager|sdpa)-)?(.+)$/;

/** What is told in one table. */
interface FamilyKind {
  /** Names the table on the page, and heads its first column. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  /** Families of this kind; all others are of the first. */
  readonly families: RegExp;
  /** Columns whose cost on shares is told. */
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

/** An option has a column of its own, or shares one: what has symbols is one, whatever its form. */
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
  /** Which exports go on shares too, by name; absent: all. */
  readonly shares?: RegExp;
  /** Is told of each as it is done. */
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

import type { Diagnostic } from "../../ir/diagnostic.ts";
import { fail, throwIfAny } from "../../ir/diagnostic.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Calibration, hasInnerRange, type InnerRange, type Observation } from "../../passes/4-quantize/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { Manifest } from "../build/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";

/**
 * Public bounds of one value or private weight. `name`: the ONNX tensor where it is one, otherwise the name in the
 * module.
 */
interface RangeRow {
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
  /** Bounds of inner values: of scores in base 2; of sums of squares, or of exponentials, of a row. */
  readonly score_bound?: number;
  readonly sum_lo?: number;
  readonly sum_hi?: number;
}

/** More than any model has values of. */
const maxBytes = 2 ** 26;

/** Bounds by value of the secure part; `inputs`: of the model's inputs, by value of the imported module. */
export interface GivenRanges extends Observation {
  /** Powers of two that private weights stay below, by their params. */
  readonly weights: ReadonlyMap<ValueId, number>;
  readonly inputs: ReadonlyMap<ValueId, InnerRange>;
}

export type GivenBounds = Omit<GivenRanges, "inputs">;

const rowFields: readonly string[] = ["name", "lo", "hi", "score_bound", "sum_lo", "sum_hi"];
/** `model` and `source` are for readers. */
const fileFields: readonly string[] = ["schema", "model", "source", "values"];
const innerFields = ["score_bound", "sum_lo", "sum_hi"] as const;

const example = '{ "schema": 1, "values": [{ "name": "x", "lo": -4, "hi": 4 }] }';

/** The bounds as rows, in program order; values without a finite bound have none. */
function rangeRows(
  { module, sources }: Pick<SplitState, "module" | "sources">,
  { ranges, facts }: Calibration,
  weights: ReadonlyMap<ValueId, number>,
): readonly RangeRow[] {
  const nameOf = rangeNames({ module, sources });
  const ofWeights = [...weights].map(([id, most]) => ({ name: module.params[id]!, lo: -most, hi: most }));
  const ofValues = [...module.inputs, ...opsOf(module).map(({ result }) => result)].flatMap((id): RangeRow[] => {
    const range = ranges.get(id);
    if (!range || !Number.isFinite(range.lo) || !Number.isFinite(range.hi)) return [];
    const known = innerFields.filter((field) => Number.isFinite(facts.get(id)?.[field]));
    const inner = Object.fromEntries(known.map((field) => [field, facts.get(id)![field]]));
    return [{ name: nameOf(id), lo: range.lo, hi: range.hi, ...inner }];
  });
  return [...ofWeights, ...ofValues];
}

/** The text of the file. */
export function rangesText(
  state: Pick<SplitState, "module" | "sources">,
  found: { readonly calibration: Calibration; readonly weights?: ReadonlyMap<ValueId, number> },
  manifest: Manifest,
): string {
  const { source, weights, margin } = manifest.calibration;
  const from = `measured on ${source}, with ${weights}, margin ${margin}`;
  const rows = rangeRows(state, found.calibration, found.weights ?? new Map()).map(
    (row) => `    ${JSON.stringify(row)}`,
  );
  const head = `{\n  "schema": 1,\n  "model": ${JSON.stringify(manifest.name)},\n  "source": ${JSON.stringify(from)},\n`;
  return `${head}  "values": [\n${rows.join(",\n")}\n  ]\n}\n`;
}

/** The name of a value in the file: its ONNX tensor, unless another value of the module has that name. */
function rangeNames({ module, sources }: Pick<SplitState, "module" | "sources">): (id: ValueId) => string {
  const taken = new Set(Object.keys(module.values));
  const used = new Set<string>();
  const names = new Map<ValueId, string>();
  for (const id of [...module.inputs, ...opsOf(module).map(({ result }) => result)]) {
    const source = sources.get(id);
    const free = source !== undefined && !used.has(source) && (source === id || !taken.has(source));
    names.set(id, free ? source : id);
    if (free) used.add(source);
  }
  return (id) => names.get(id) ?? id;
}

/**
 * Reads public bounds by value (--ranges), and checks them against the secure part of the model.
 * @throws DiagnosticError MRL0666 for a file of another form, MRL0667 for names, MRL0668 for bounds: all at once
 */
export function readRanges(
  path: string,
  state: Pick<SplitState, "module" | "sources">,
  modelInputs: ReadonlyMap<string, ValueId>,
): GivenRanges {
  const rows = parseRanges(new TextDecoder().decode(readWholeFile(path, maxBytes, "MRL0666")), path);
  const { module } = state;
  const nameOf = rangeNames(state);
  const ops = new Map(opsOf(module).map((op) => [op.result, op]));
  const ids = [...module.inputs, ...ops.keys()];
  const byName = new Map([...ids.map((id) => [id, id] as const), ...ids.map((id) => [nameOf(id), id] as const)]);
  const values = new Map<ValueId, InnerRange>();
  const inner = new Map<ValueId, InnerRange>();
  const inputs = new Map<ValueId, InnerRange>();
  const weights = new Map<ValueId, number>();
  const params = new Map(
    Object.entries(module.params).flatMap(([id, name]) => (isPrivate(module, id) ? [[name, id] as const] : [])),
  );
  const seen = new Set<string>();
  const [unknown, twice, problems]: [string[], string[], Diagnostic[]] = [[], [], []];
  for (const row of rows) {
    const id = byName.get(row.name);
    const param = id === undefined ? params.get(row.name) : undefined;
    const input = id === undefined && param === undefined ? modelInputs.get(row.name) : undefined;
    const isInner = innerFields.some((field) => row[field] !== undefined);
    const op = id === undefined ? undefined : ops.get(id);
    const isKnown = id !== undefined || param !== undefined || (input !== undefined && !isInner);
    const isTwice = seen.has(row.name);
    seen.add(row.name);
    if (!isKnown) unknown.push(row.name);
    else if (isTwice) twice.push(row.name);
    const wrong = boundsProblem(row);
    if (wrong !== undefined) problems.push(outOfOrder(row.name, wrong, path));
    else if (param !== undefined && !isWeightBound(row))
      problems.push(outOfOrder(row.name, `[${row.lo}, ${row.hi}], and a weight takes -b and b, a power of two`, path));
    else if (id !== undefined && isInner && !(op && hasInnerRange(op)))
      problems.push(outOfOrder(row.name, "bounds of sums or scores, which this operator does not have", path));
    if (param !== undefined) weights.set(param, row.hi);
    else if (input !== undefined) inputs.set(input, { lo: row.lo, hi: row.hi });
    else if (id !== undefined) {
      values.set(id, { lo: row.lo, hi: row.hi });
      const bounds = innerOf(row);
      if (bounds) inner.set(id, bounds);
    }
  }
  throwIfAny([
    ...problems,
    ...namesProblem([...new Set(unknown)], [...new Set(twice)], path, [...new Set(ids.map(nameOf))]),
  ]);
  // What is shared as it is bounds what the client computes from it, too.
  const asItIs = [...modelInputs].flatMap(([name, input]) => {
    const id = byName.get(name);
    const range = id !== undefined && module.inputs.includes(id) ? values.get(id) : undefined;
    return range ? [[input, range] as const] : [];
  });
  return { values, inner, inputs: new Map([...asItIs, ...inputs]), weights };
}

const isPrivate = ({ values }: SplitState["module"], id: ValueId): boolean => values[id]!.type.label === "server";

const isWeightBound = ({ lo, hi }: RangeRow): boolean => hi > 0 && lo === -hi && Number.isInteger(Math.log2(hi));

function innerOf({ score_bound: score, sum_lo: lo = 0, sum_hi: hi }: RangeRow): InnerRange | undefined {
  if (score !== undefined) return { lo: -score, hi: score };
  return hi === undefined ? undefined : { lo, hi };
}

/** What is wrong with the numbers of a row. */
function boundsProblem({ lo, hi, score_bound: score, sum_lo: least, sum_hi: most }: RangeRow): string | undefined {
  if (lo > hi) return `lo ${lo} above hi ${hi}`;
  if (score !== undefined && (score < 0 || least !== undefined || most !== undefined))
    return score < 0 ? `score_bound ${score}` : "score_bound beside bounds of sums";
  if (least !== undefined && most === undefined) return "sum_lo without sum_hi";
  if (most !== undefined && !((least ?? 0) >= 0 && (least ?? 0) <= most)) return `sums from ${least ?? 0} to ${most}`;
  return undefined;
}

const outOfOrder = (name: string, found: string, at: string): Diagnostic => ({
  code: "MRL0668",
  message: `"${name}": expected bounds in order, found ${found}`,
  at,
  help: `correct the row, or remove it: the compiler then measures the value (--calibrate)`,
});

/** Names shown of a list that may have one for each value. */
const maxNames = 5;

function namesProblem(
  unknown: readonly string[],
  twice: readonly string[],
  at: string,
  known: readonly string[],
): readonly Diagnostic[] {
  const listed = (names: readonly string[]): string =>
    `${names.slice(0, maxNames).join(", ")}${names.length > maxNames ? `, … (${names.length} in all)` : ""}`;
  const messages = [
    ...(unknown.length > 0 ? [`found names that the secure part does not have: ${listed(unknown)}`] : []),
    ...(twice.length > 0 ? [`found values that are named twice: ${listed(twice)}`] : []),
  ];
  return messages.map((found) => ({
    code: "MRL0667",
    message: `expected each shared value at most once, ${found}`,
    at,
    help: `the values of this model with these options: ${listed(known)}; \`--write-ranges <file>\` of compile lists all`,
  }));
}

/** @throws DiagnosticError MRL0666 with all faults of the form */
function parseRanges(text: string, at: string): readonly RangeRow[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const faults = value === undefined ? ["a text that is not JSON"] : faultsOfFile(value);
  const [first, ...others] = [...new Set(faults)];
  if (first === undefined) return (value as { readonly values: readonly RangeRow[] }).values;
  const rest = others.length > maxNames ? [`and ${others.length - maxNames} more faults`] : [];
  return fail({
    code: "MRL0666",
    message: `expected a file of ranges, found ${first}`,
    at,
    ...(others.length > 0 && { because: [...others.slice(0, maxNames).map((found) => `found ${found}`), ...rest] }),
    help: `write it as ${example}`,
  });
}

function faultsOfFile(value: unknown): readonly string[] {
  if (!isRecord(value)) return ["no object"];
  const extra = Object.keys(value).filter((key) => !fileFields.includes(key));
  return [
    ...(value.schema === 1 ? [] : [`schema ${JSON.stringify(value.schema) ?? "none"}, this version reads 1`]),
    ...extra.map((key) => `the field "${key}"`),
    ...(Array.isArray(value.values) ? value.values.flatMap(faultsOfRow) : ["no list of values"]),
  ];
}

function faultsOfRow(row: unknown, at: number): readonly string[] {
  if (!isRecord(row)) return [`no object as value ${at + 1}`];
  if (typeof row.name !== "string") return [`value ${at + 1} without a name`];
  const odd = Object.keys(row).filter((key) => !rowFields.includes(key));
  const missing = ["lo", "hi"].filter((key) => row[key] === undefined);
  const wrong = rowFields.filter((key) => key !== "name" && row[key] !== undefined && !isFinite64(row[key]));
  return [
    ...odd.map((key) => `the field "${key}" of "${row.name}"`),
    ...missing.map((key) => `"${row.name}" without ${key}`),
    ...wrong.map((key) => `${key} of "${row.name}", which is not a finite number`),
  ];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isFinite64 = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);

import { counted } from "../../ir/counted.ts";
import {
  type Grouping,
  groupings,
  type MergeScale,
  makeStudent,
  mergeScales,
  type StudentManifest,
  type StudentPaths,
  studentPaths,
  writeStudent,
} from "../student/index.ts";
import { usage } from "./errors.ts";
import {
  callback,
  checkOptions,
  either,
  type Fields,
  flag,
  integer,
  isText,
  listOf,
  number,
  objectOf,
  oneOf,
  recordOf,
  required,
  text,
} from "./fields.ts";
import { given } from "./values.ts";

export interface RewriteOptions {
  /** Path of the public model. */
  readonly model: string;
  /** Student model to write, `.onnx`; its manifest and its data file go beside it. */
  readonly output: string;
  /** Fraction of the layers, counted from the first, that stay public, 0 to 1. Default: 0. */
  readonly freeze?: number;
  /** Train low-rank adapters beside the linear layers instead of the full matrices. */
  readonly lora?: {
    readonly rank: number;
    /** The adapter is scaled by alpha / rank. Default: 2 × rank. */
    readonly alpha?: number;
    /** Module name suffixes to adapt, as `q_proj`. Default: all linear layers that are trained. */
    readonly targets?: readonly string[];
    /** Keep A public and fixed, train only B (LoRA-FA). Default: false. */
    readonly freezeA?: boolean;
  };
  /** Fewer attention heads: merge every `size` heads into one of their joint depth, or keep one of every `size`. */
  readonly heads?: {
    readonly what: "merge" | "prune";
    readonly size: 2 | 4;
    /** How heads are grouped for merging. Default: `adjacent`. */
    readonly grouping?: Grouping;
    /** Scale of merged scores: a rule, or a number. Default: `mean`. */
    readonly scale?: MergeScale | number;
  };
  /** Sizes of symbolic dimensions, in elements; the student keeps them symbolic. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Called with what was asked for and not done. */
  readonly onWarning?: (line: string) => void;
}

const above0 = number("a number above 0", (value) => value > 0);
const rewriteFields: Fields<RewriteOptions> = {
  model: required(text),
  output: required(text),
  freeze: number("a fraction from 0 to 1", (value) => value >= 0 && value <= 1),
  lora: objectOf<NonNullable<RewriteOptions["lora"]>>({
    rank: required(integer(1, 65536)),
    alpha: above0,
    targets: listOf(text),
    freezeA: flag,
  }),
  heads: objectOf<NonNullable<RewriteOptions["heads"]>>({
    what: required(oneOf(["merge", "prune"])),
    size: required(number("2 or 4", (value) => value === 2 || value === 4)),
    grouping: oneOf(groupings),
    scale: either([isText, oneOf(Object.keys(mergeScales))], [() => true, above0]),
  }),
  dims: recordOf(integer(1)),
  onWarning: callback,
};

/** Output of `rewrite --json`. */
export interface RewriteResult {
  readonly schema: 1;
  /** Paths of the written files; `data` only if the model has external data. */
  readonly files: Omit<StudentPaths, "data"> & Partial<Pick<StudentPaths, "data">>;
  readonly manifest: StudentManifest;
}

/**
 * Makes a student of a public model that is cheaper under MPC, ready for fine-tuning.
 *
 * @example
 * ```ts
 * const { manifest } = await rewrite({
 *   model: "base.onnx",
 *   output: "student.onnx",
 *   freeze: 0.5,
 *   lora: { rank: 8 },
 *   heads: { what: "merge", size: 2 },
 * });
 * ```
 */
export async function rewrite(options: RewriteOptions): Promise<RewriteResult> {
  checkOptions("rewrite", rewriteFields, options);
  const { model, output, freeze = 0, lora, heads, dims = {}, onWarning } = options;
  if (heads?.what === "prune" && (heads.grouping !== undefined || heads.scale !== undefined))
    usage("rewrite: heads.grouping and heads.scale need heads.what merge");
  const files = studentPaths(output);
  const student = makeStudent({
    model,
    dataFile: files.data.split(/[/\\]/).at(-1)!,
    freeze,
    dims,
    ...(heads && { heads }),
    ...(lora && { lora: { alpha: 2 * lora.rank, freezeA: false, ...given(lora) } }),
  } as Parameters<typeof makeStudent>[0]);
  writeStudent(files, model, student);
  const { frozen, of } = student.manifest.layers;
  if (freeze > 0 && frozen === 0) onWarning?.(`--freeze ${freeze} freezes nothing: the model has ${foundLayers(of)}`);
  const written = student.data.length > 0 ? files : { model: files.model, manifest: files.manifest };
  return { schema: 1, files: written, manifest: student.manifest };
}

const foundLayers = (count: number): string =>
  count === 0
    ? "no layers that its names number (layers.0, h.0, block.0)"
    : `${counted(count, "layer")}, and it is less than one of them`;

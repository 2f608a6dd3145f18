import type { Grouping, MergeScale, StudentManifest } from "../student/index.ts";
import { makeStudent, type StudentPaths, studentPaths, writeStudent } from "../student/index.ts";
import { given } from "./values.ts";

export interface RewriteOptions {
  /** Path of the public model. */
  readonly model: string;
  /** Where the student is written, `.onnx`; its manifest and its data file come beside it. */
  readonly output: string;
  /** Share of the layers, from the first, that stay public, 0 to 1. Default: 0. */
  readonly freeze?: number;
  /** Low-rank changes beside the linear layers, instead of training them whole. */
  readonly lora?: {
    readonly rank: number;
    /** The change is multiplied by alpha / rank. Default: twice the rank. */
    readonly alpha?: number;
    /** Ends of module paths, as `q_proj`. Default: all linear layers that are trained. */
    readonly targets?: readonly string[];
    /** Keep A as it is, public, and train B alone (LoRA-FA). Default: false. */
    readonly freezeA?: boolean;
  };
  /** Fewer heads of attention: `size` of them become one of their joint depth, or one in `size` stays. */
  readonly heads?: {
    readonly what: "merge" | "prune";
    readonly size: 2 | 4;
    /** Which heads are merged. Default: `adjacent`. */
    readonly grouping?: Grouping;
    /** Factor on merged scores: a rule, or the number itself. Default: `mean`. */
    readonly scale?: MergeScale | number;
  };
  /** Sizes of symbolic dimensions, in elements; the student keeps the symbols. */
  readonly dims?: Readonly<Record<string, number>>;
}

/** What `rewrite --json` prints. */
export interface RewriteResult {
  readonly schema: 1;
  /** Paths of what was written; `data` where the model keeps weights outside. */
  readonly files: Omit<StudentPaths, "data"> & Partial<Pick<StudentPaths, "data">>;
  readonly manifest: StudentManifest;
}

/**
 * Makes a student of a public model that costs less in secure computation, to be tuned and compiled.
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
export async function rewrite({
  model,
  output,
  freeze = 0,
  lora,
  heads,
  dims = {},
}: RewriteOptions): Promise<RewriteResult> {
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
  const written = student.data.length > 0 ? files : { model: files.model, manifest: files.manifest };
  return { schema: 1, files: written, manifest: student.manifest };
}

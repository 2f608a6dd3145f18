import { fail } from "../../ir/diagnostic.ts";
import { errorBound } from "../accuracy/index.ts";
import { chosenAdapter, loadManifest, partyFolder } from "../build/index.ts";
import { readTokenizer, type TextTokenizer } from "../inputs/index.ts";
import {
  addClamped,
  type ClampedValues,
  clampedField,
  evaluate as compare,
  type Evaluation,
  type EvaluationPrompt,
  type Forward,
  type MeasuredRun,
  type OnnxSession,
  openLocal,
  openLocalGuard,
  openOnnxSession,
  openPlain,
  type RunResult,
  readEvaluationPrompts,
  securityFields,
  textInputOf,
  tokenFeeds,
  unlessAborted,
} from "../run/index.ts";
import { readFileHead } from "../tensors/files/index.ts";
import { checkOptions, type Fields, integer, required, text } from "./fields.ts";
import { type ClampOption, clampFields, warnClamped } from "./inputs.ts";
import { type LocalRunOptions, localRunFields, onOneMachine } from "./run.ts";
import { sessionReport } from "./session-report.ts";
import { countOf, given, linkOf } from "./values.ts";

export interface EvaluateOptions extends LocalRunOptions, ClampOption {
  /** The build directory, with the model's tokenizer files. */
  readonly build: string;
  /** A file of JSON lines `{"prompt": …, "answer": …}`. */
  readonly prompts: string;
  /** The fine-tuned model in plaintext, run by ONNX Runtime. */
  readonly reference: string;
  /** Evaluate only the first `limit` prompts. Default: all. */
  readonly limit?: number;
}

export interface UntrustedAnswers {
  readonly queries: number;
  /** Nodes of the model, the first in program order first. */
  readonly layers: readonly string[];
}

const evaluateFields: Fields<EvaluateOptions> = {
  ...localRunFields,
  ...clampFields,
  build: required(text),
  prompts: required(text),
  reference: required(text),
  limit: integer(1),
};

/** Output of `evaluate --json`. */
export interface EvaluateResult
  extends Evaluation,
    Pick<RunResult, "clamped" | "setting" | "security" | "truncation" | "queries"> {
  readonly schema: 1;
  /** Answers that cannot be trusted, as a value of these layers leaves its public bounds; the command line exits with 1. */
  readonly untrusted?: UntrustedAnswers;
  /** Bound on `largestError`, from scales and depth; the command line exits with 1 above it. */
  readonly errorBound: number;
  readonly predicted: NonNullable<RunResult["predicted"]>;
  readonly measured: MeasuredRun;
}

/**
 * Compares the secure model's answers with the plaintext model, with all parties on this machine.
 *
 * @example
 * ```ts
 * const { agreeing, nextTokens } = await evaluate({
 *   build: "build",
 *   prompts: "heldout.jsonl",
 *   reference: "merged.onnx",
 *   limit: 10,
 * });
 * ```
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluateResult> {
  checkOptions("evaluate", evaluateFields, options);
  const { build: dir, clamp = false, guard: guarded = true, signal, onProgress, onWarning } = options;
  const link = options.link === undefined ? undefined : linkOf(options.link);
  const questions = readEvaluationPrompts(options.prompts, countOf(options.limit, "limit", Number.MAX_SAFE_INTEGER));
  const manifest = loadManifest(dir);
  const chosen = { clamp, ...given({ adapter: chosenAdapter(dir, options.adapter) }) };
  const tokens = readTokenizer(partyFolder(dir, "client"));
  const reference = await openReference(options.reference);
  signal?.throwIfAborted();
  onWarning?.(onOneMachine);
  const guard = guarded ? await openLocalGuard(dir, { ...chosen, onWarning }) : undefined;
  const session = await openLocal({ dir, ...chosen, inProcess: options.inProcess ?? false, ...(link && { link }) });
  let moved: ClampedValues = {};
  let untrusted: UntrustedAnswers = { queries: 0, layers: [] };
  const secure: Forward = async (inputs) => {
    const departures = (await guard?.departures(inputs)) ?? [];
    if (departures.length > 0) untrusted = addUntrusted(untrusted, departures);
    const { outputs, trusted, clamped } = await session.query(inputs);
    const guardedLayers = (manifest.guard?.layers ?? []).map((at) => ({ at }));
    if (!trusted && departures.length === 0) untrusted = addUntrusted(untrusted, guardedLayers);
    moved = addClamped(moved, clamped);
    return outputs;
  };
  const work = (): Promise<Evaluation> =>
    compare(questions, {
      manifest,
      tokenizer: tokens,
      reference: (inputs) => reference.run(inputs),
      secure,
      onDone: (done, of) => onProgress?.(`${done} of ${of} prompts`),
    }).catch(async (error: unknown) => {
      await session.abandon();
      throw error;
    });
  const result = await unlessAborted(signal, session.abandon, work);
  const traffic = sessionReport(manifest.setting, await session.end());
  await Promise.all([reference.release(), guard?.release()]);
  warnClamped(moved, onWarning);
  return {
    schema: 1,
    ...result,
    errorBound: await boundFor(dir, tokens, questions[0]!, chosen),
    ...clampedField(moved),
    ...(untrusted.queries > 0 && { untrusted }),
    ...securityFields(manifest),
    ...traffic,
  };
}

const addUntrusted = ({ queries, layers }: UntrustedAnswers, departures: readonly { readonly at: string }[]) => ({
  queries: queries + 1,
  layers: [...new Set([...layers, ...departures.map(({ at }) => at)])],
});

async function openReference(file: string): Promise<OnnxSession> {
  // A session without a file stands for an empty part of a build, so the file is opened first.
  readFileHead(file, 1, "MRL0101");
  return await openOnnxSession(file).catch((error: Error) =>
    fail({
      code: "MRL0826",
      message: "ONNX Runtime cannot open the reference model",
      at: file,
      because: [error.message.split("\n")[0]!],
      help: "give the fine-tuned model as ONNX: --reference <model.onnx>",
    }),
  );
}

/** The error bound for one prompt. It depends on magnitudes, which differ little between prompts. */
async function boundFor(
  dir: string,
  tokens: TextTokenizer,
  { prompt }: EvaluationPrompt,
  chosen: { readonly clamp: boolean; readonly adapter?: string },
): Promise<number> {
  const plain = await openPlain(dir, chosen);
  const feeds = tokenFeeds(textInputOf(loadManifest(dir)), tokens.encode(prompt), tokens.padToken);
  const shared = await plain.shared(feeds);
  await plain.release();
  return errorBound(plain.module, plain.weights, shared);
}

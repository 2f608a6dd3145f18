import { loadManifest, loadPartyBuild, partyFolder, withPartyNames } from "../build/index.ts";
import { readTokenizer, type TextTokenizer } from "../inputs/index.ts";
import { errorBound } from "../report/cost/index.ts";
import {
  evaluate as compare,
  dequantizeOutput,
  type Evaluation,
  type EvaluationPrompt,
  loadPlain,
  type MeasuredRun,
  openClientExecutor,
  openLocal,
  openOnnxSession,
  type RunResult,
  readEvaluationPrompts,
  roundTimes,
  securityFields,
  textInputOf,
  tokenFeeds,
  unlessAborted,
} from "../run/index.ts";
import { type LocalRunOptions, onOneMachine } from "./run.ts";
import { countOf, linkOf } from "./values.ts";

export interface EvaluateOptions extends LocalRunOptions {
  /** The build directory, with the model's tokenizer files. */
  readonly build: string;
  /** A file of lines `{"prompt": …, "answer": …}`. */
  readonly prompts: string;
  /** The tuned model in plaintext, for ONNX Runtime. */
  readonly reference: string;
  /** The first so many prompts. Default: all. */
  readonly limit?: number;
}

/** What `evaluate --json` prints. */
export interface EvaluateResult extends Evaluation, Pick<RunResult, "setting" | "security" | "truncation" | "queries"> {
  readonly schema: 1;
  /** From scales and depth, in the unit of `largestError`; a larger error is a fault. */
  readonly errorBound: number;
  readonly predicted: NonNullable<RunResult["predicted"]>;
  readonly measured: MeasuredRun;
}

/**
 * Measures what the secure path keeps of the model's answers, with every party on this machine.
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
  const { build: dir, signal, onProgress, onWarning } = options;
  const link = options.link === undefined ? undefined : linkOf(options.link);
  const questions = readEvaluationPrompts(options.prompts, countOf(options.limit, "limit", Number.MAX_SAFE_INTEGER));
  const manifest = loadManifest(dir);
  const tokens = readTokenizer(partyFolder(dir, "client"));
  const reference = await openOnnxSession(options.reference);
  signal?.throwIfAborted();
  onWarning?.(onOneMachine);
  const session = await openLocal({ dir, inProcess: options.inProcess ?? false, ...(link && { link }) });
  const work = (): Promise<Evaluation> =>
    compare(questions, {
      manifest,
      tokenizer: tokens,
      reference: reference.run,
      secure: async (inputs) => (await session.query(inputs)).outputs,
      onDone: (done, of) => onProgress?.(`${done} of ${of} prompts`),
    }).catch(async (error: unknown) => {
      await session.abandon();
      throw error;
    });
  const result = await unlessAborted(signal, session.abandon, work);
  const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
  await reference.release();
  return {
    schema: 1,
    ...result,
    errorBound: await boundFor(dir, tokens, questions[0]!),
    ...securityFields(manifest),
    queries,
    predicted: withPartyNames(manifest.setting, predicted),
    measured: withPartyNames(manifest.setting, {
      ...measured,
      framingBytes,
      seconds: roundTimes(seconds),
      peakMegabytes,
    }),
  };
}

/** The bound at one input: it depends on magnitudes, which hardly differ between inputs. */
async function boundFor(dir: string, tokens: TextTokenizer, { prompt }: EvaluationPrompt): Promise<number> {
  const client = await loadPartyBuild(dir, "client");
  const { module, weights } = await loadPlain(dir);
  const part = await openClientExecutor(client);
  const { shared } = await part.prepare(
    tokenFeeds(textInputOf(client.manifest), tokens.encode(prompt), tokens.padToken),
  );
  await part.release();
  const inputs = Object.entries(shared).map(
    ([id, integers]) => [id, dequantizeOutput(integers, client.program.inputs[id]!.scale)] as const,
  );
  return errorBound(module, weights, new Map(inputs));
}

import { loadManifest, withPartyNames } from "../build/index.ts";
import {
  openLocal,
  outputsJson,
  type RunResult,
  roundTimes,
  runPlain,
  securityFields,
  unlessAborted,
} from "../run/index.ts";
import { type InputOptions, inputsOf, saveOutputs } from "./inputs.ts";
import { countOf, type LinkOption, linkOf } from "./values.ts";

/** Where all parties run: on this machine. Fine as a test, no protection as a deployment. */
export interface LocalRunOptions {
  /** Shapes the three links between the parties. Default: as fast as memory. */
  readonly link?: LinkOption;
  /** All parties in this thread, for debuggers. Default: a thread for each. */
  readonly inProcess?: boolean;
  /** Stops between messages: the parties are dropped, and the call throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Hears what everybody should know, in a line: that one machine sees everything. */
  readonly onWarning?: (line: string) => void;
  /** Hears how far long work has come, in a line. */
  readonly onProgress?: (line: string) => void;
}

export interface RunOptions extends InputOptions, LocalRunOptions {
  /** The build directory. */
  readonly build: string;
  /** So many queries in one session. Default: 1. The result is the last one's. */
  readonly repeat?: number;
  /** The exact interpreter of the same fixed-point program instead: no parties, nothing measured. Default: false. */
  readonly plain?: boolean;
  /** Write the outputs there, as .npz. */
  readonly output?: string;
}

export const onOneMachine = "all three parties run on this machine: fine as a test, no protection as a deployment";

/**
 * Runs a build with every party on this machine. It fails if the traffic is not the predicted one, byte for byte.
 *
 * @example
 * ```ts
 * const { outputs, measured } = await run({ build: "build", inputs: { input_ids: [[1, 5, 7]] } });
 * console.log(outputs.logits.shape, measured.rounds);
 * ```
 * @throws DiagnosticError for an input that does not fit, SessionError where a party fails.
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const { build, output, plain = false, onProgress, onWarning, signal } = options;
  const link = options.link === undefined ? undefined : linkOf(options.link);
  const repeat = countOf(options.repeat, "repeat", 1);
  const manifest = loadManifest(build);
  const inputs = inputsOf(manifest, options);
  if (plain) {
    const outputs = await runPlain(build, inputs);
    saveOutputs(output, outputs);
    return { schema: 1, outputs: outputsJson(outputs), ...securityFields(manifest), queries: 0 };
  }
  signal?.throwIfAborted();
  onWarning?.(onOneMachine);
  const session = await openLocal({ dir: build, inProcess: options.inProcess ?? false, ...(link && { link }) });
  return await unlessAborted(signal, session.abandon, async () => {
    let last = await session.query(inputs);
    for (let query = 1; query < repeat; query++) {
      onProgress?.(`query ${query} of ${repeat} done`);
      last = await session.query(inputs);
    }
    const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
    saveOutputs(output, last.outputs);
    return withPartyNames<RunResult>(manifest.setting, {
      schema: 1,
      outputs: outputsJson(last.outputs),
      ...(last.serverOutputs.size > 0 && { serverOutputs: outputsJson(last.serverOutputs) }),
      ...securityFields(manifest),
      queries,
      predicted,
      measured: { ...measured, framingBytes, seconds: roundTimes(seconds), peakMegabytes },
    });
  });
}

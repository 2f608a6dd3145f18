import { join } from "node:path";
import { sameShape } from "../../ir/type.ts";
import { chosenAdapter, loadManifest, type Manifest } from "../build/index.ts";
import {
  checkInputs,
  clampedField,
  openLocal,
  openLocalGuard,
  outputsJson,
  type PlainOutputs,
  type RunResult,
  refuseGuarded,
  refuseUntrusted,
  runPlain,
  securityFields,
  trustedField,
  unlessAborted,
  untrustedWarning,
} from "../run/index.ts";
import { newSessionId } from "../services/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { usage } from "./errors.ts";
import { callback, checkOptions, type Fields, flag, integer, link, required, signal, text } from "./fields.ts";
import { type InputOptions, inputFields, inputTensorsOf, prepareOutput, saveOutputs, warnClamped } from "./inputs.ts";
import { keepAnswer } from "./keep-answer.ts";
import { sessionReport } from "./session-report.ts";
import { halvesOf, prepareShares, type ShareOption, separateShares, writeShares } from "./shares.ts";
import { countOf, given, type LinkOption, linkOf } from "./values.ts";

/** Options for running all parties on this machine: a test, not a protected deployment. */
export interface LocalRunOptions {
  /** Emulate this network on the three links between the parties. Default: memory speed. */
  readonly link?: LinkOption;
  /** Run all parties in this thread, for debugging. Default: one thread per party. */
  readonly inProcess?: boolean;
  /**
   * Compare the values inside the network with their public bounds, in the interpreter, and refuse an answer for which
   * one leaves them. Default: true. Left out, with a warning, for models that the interpreter is too slow
   * for, and for a server elsewhere.
   */
  readonly guard?: boolean;
  /** The adapter that the server uses, of a build with several: its name in `ModelOptions.adapter`. */
  readonly adapter?: string;
  /** Stops the parties between two messages; the call throws the reason of the signal. */
  readonly signal?: AbortSignal;
  /** Called with each warning, one line: here, that one machine sees all data. */
  readonly onWarning?: (line: string) => void;
  /** Called with the progress of long work, one line. */
  readonly onProgress?: (line: string) => void;
}

export interface RunOptions extends InputOptions, ShareOption, LocalRunOptions {
  /** The build directory. */
  readonly build: string;
  /** Number of queries in one session. Default: 1. The result is that of the last query. */
  readonly repeat?: number;
  /** Evaluate the same fixed-point program with the exact interpreter, without parties or measurements. Default: false. */
  readonly plain?: boolean;
  /** Write the outputs of both readers to this .npz file. */
  readonly output?: string;
}

export const localRunFields: Fields<LocalRunOptions> = {
  link,
  inProcess: flag,
  guard: flag,
  adapter: text,
  signal,
  onWarning: callback,
  onProgress: callback,
};
const runFields: Fields<RunOptions> = {
  ...inputFields,
  ...localRunFields,
  build: required(text),
  repeat: integer(1),
  plain: flag,
  output: text,
  shares: text,
};

export const onOneMachine = "all three parties run on this machine: this is a test, and protects no data";

/**
 * Runs a build with all parties on this machine. It fails unless the traffic equals the predicted traffic, byte for byte.
 *
 * @example
 * ```ts
 * const { outputs, measured } = await run({ build: "build", inputs: { input_ids: [[1, 5, 7]] } });
 * console.log(outputs.logits.shape, measured.rounds);
 * ```
 * @throws DiagnosticError for an invalid input
 * @throws SessionError if a party fails
 */
export async function run(options: RunOptions): Promise<RunResult> {
  checkOptions("run", runFields, options);
  const { build, output, plain = false, clamp = false, guard = true, onProgress, onWarning, signal } = options;
  const link = options.link === undefined ? undefined : linkOf(options.link);
  const repeat = countOf(options.repeat, "repeat", 1);
  if (plain && (link !== undefined || options.repeat !== undefined))
    return usage("--link and --repeat apply to parties, and --plain runs none");
  const manifest = loadManifest(build);
  const chosen = { clamp, ...given({ adapter: chosenAdapter(build, options.adapter) }) };
  const { rest, files } = separateShares(manifest, options);
  const { halves, values } = halvesOf(manifest, files);
  const inputs = checkInputs(
    manifest,
    new Map([...inputTensorsOf(rest.inputs ?? {}, rest.inputFiles ?? []), ...values]),
    "both",
  );
  if (plain && options.shares !== undefined) return usage("--shares is for parties, and --plain runs none");
  if (!plain) prepareShares(manifest, options.shares);
  prepareOutput(output, onWarning);
  signal?.throwIfAborted();
  if (plain) {
    const found = await runPlain(build, inputs, { ...chosen, guard });
    warnClamped(found.clamped, onWarning);
    saveOutputs(output, new Map([...found.kept, ...outputsOfBoth(found)]));
    return {
      schema: 1,
      ...outputFields(found),
      ...(found.kept.size > 0 && { sharedOutputs: outputsJson(found.kept) }),
      ...clampedField(found.clamped),
      ...securityFields(manifest),
      queries: 0,
    };
  }
  onWarning?.(onOneMachine);
  if (guard) await checkRanges(build, inputs, { ...chosen, onWarning });
  const session = await openLocal({
    dir: build,
    ...chosen,
    inProcess: options.inProcess ?? false,
    ...(link && { link }),
  });
  return await unlessAborted(signal, session.abandon, async () => {
    let last = await session.query(inputs, undefined, halves);
    for (let query = 1; query < repeat; query++) {
      onProgress?.(`query ${query} of ${repeat} done`);
      last = await session.query(inputs, undefined, halves);
    }
    const traffic = sessionReport(manifest.setting, await session.end());
    if (!last.trusted) refuseOrWarn(manifest, guard, onWarning);
    warnClamped(last.clamped, onWarning);
    const made = { session: newSessionId(), query: repeat - 1 };
    const kept = (["client", "server"] as const).map((party) => ({
      ...{ party, folder: join(options.shares ?? "", party), residues: last.residues[party] },
    }));
    const result: RunResult = {
      schema: 1,
      ...outputFields(last),
      ...trustedField(manifest, last.trusted),
      ...clampedField(last.clamped),
      ...securityFields(manifest),
      ...traffic,
    };
    return keepAnswer(
      result,
      (report) => (manifest.sharedOutputs ? { shares: writeShares(manifest, made, kept, report) } : {}),
      () => saveOutputs(output, outputsOfBoth(last)),
    );
  });
}

type ReadOutputs = Pick<PlainOutputs, "outputs" | "serverOutputs">;

/**
 * What was opened to either party. An output of both has the same numbers at both, and stands once, unless the client
 * receives less of it (`--head token`): then the server's is `<name>.server`.
 */
function outputsOfBoth({ outputs, serverOutputs }: ReadOutputs): PlainOutputs["outputs"] {
  const own = [...serverOutputs].map(([name, each]): [string, TypedTensor] => {
    const other = outputs.get(name);
    return [other && !sameShape(other.tensor.shape, each.tensor.shape) ? `${name}.server` : name, each];
  });
  return new Map([...own, ...outputs]);
}

const outputFields = ({ outputs, serverOutputs }: ReadOutputs): Pick<RunResult, "outputs" | "serverOutputs"> => ({
  outputs: outputsJson(outputs),
  ...(serverOutputs.size > 0 && { serverOutputs: outputsJson(serverOutputs) }),
});

/** An answer that the guard of the build does not trust. @throws DiagnosticError unless it is asked for nevertheless */
export function refuseOrWarn(manifest: Manifest, guard: boolean, warn: ((line: string) => void) | undefined): void {
  if (guard) refuseGuarded(manifest);
  warn?.(untrustedWarning(manifest));
}

/** @throws DiagnosticError for an input that drives a value inside the network out of its bounds */
export async function checkRanges(
  build: string,
  inputs: ReadonlyMap<string, TypedTensor>,
  options: Parameters<typeof openLocalGuard>[1],
): Promise<void> {
  const guard = await openLocalGuard(build, options);
  try {
    refuseUntrusted((await guard?.departures(inputs)) ?? []);
  } finally {
    await guard?.release();
  }
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OutputBounds } from "../../compiler/accuracy/index.ts";
import { compile } from "../../compiler/api/compile.ts";
import { openLocal, openOnnxSession, openPlain } from "../../compiler/run/index.ts";
import { type TypedTensor, writeNpz } from "../../compiler/tensors/index.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { tensor } from "../../ir/tensor.ts";
import { createRandom } from "../fuzz/random.ts";
import { boundsOf } from "../tables/declared-error.ts";
import { type RandomNetwork, randomNetwork } from "./random-network.ts";

/** What became of a run. `wrong`: an answer beyond its declared error of float, which nothing refused or marked. */
export type Outcome = "right" | "refused by the compiler" | "refused by the client" | "marked by the guard" | "wrong";

export interface WholeRun {
  readonly seed: number;
  readonly outcome: Outcome;
  /** Of a refusal: its code. Of a wrong answer: error and declared error. */
  readonly detail: string;
}

export interface WholeOptions {
  /** Inputs of each network. */
  readonly inputs: number;
  readonly setting?: "2pc-dealer" | "3pc";
}

const samples = 8;
/** Magnitudes of inputs, in those of the calibration inputs. */
const scales = [0.1, 0.5, 1, 1, 1.2, 1.5, 2, 4, 16, 300];

/** Compiles the network of a seed and asks it, as its users would: inside of its ranges and beyond. */
export async function wholeRuns(seed: number, options: WholeOptions): Promise<readonly WholeRun[]> {
  const network = randomNetwork(seed);
  const dir = mkdtempSync(join(tmpdir(), "marillc-whole-"));
  try {
    writeFiles(network, dir);
    const code = await compiled(dir, seed, options);
    if (code !== undefined) {
      const refused = { seed, outcome: "refused by the compiler", detail: code } as const;
      return Array.from({ length: options.inputs }, () => refused);
    }
    return await asked(network, dir, seed, options);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function writeFiles({ bytes, inputShape, input }: RandomNetwork, dir: string): void {
  writeFileSync(join(dir, "model.onnx"), bytes);
  mkdirSync(join(dir, "calib"));
  for (let k = 0; k < samples; k++) {
    const x = { dtype: "float32", tensor: tensor(inputShape, input(1)) } as const;
    writeFileSync(join(dir, "calib", `${k}.npz`), writeNpz(new Map([["x", x]])));
  }
}

/** The code of the first refusal, if the compiler refuses. With a base, without one, and with private ranges made public. */
async function compiled(dir: string, seed: number, { setting }: WholeOptions): Promise<string | undefined> {
  const model = join(dir, "model.onnx");
  const ways = [{ base: model }, {}, { publishRanges: true }];
  try {
    await compile({
      model,
      private: ["*"],
      reveal: { y: "client" },
      calibrate: join(dir, "calib"),
      output: join(dir, "build"),
      link: "lan",
      verify: false,
      ...ways[seed % ways.length],
      ...(setting && { setting }),
    });
    return undefined;
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics[0]!.code;
    throw error;
  }
}

async function asked(
  { inputShape, input }: RandomNetwork,
  dir: string,
  seed: number,
  { inputs }: WholeOptions,
): Promise<readonly WholeRun[]> {
  const build = join(dir, "build");
  const reference = await openOnnxSession(join(dir, "model.onnx"));
  const plain = await openPlain(build);
  const session = await openLocal({ dir: build, inProcess: true });
  const random = createRandom(seed + 7919);
  const ask = async (): Promise<Omit<WholeRun, "seed">> => {
    const scale = random.pick(scales);
    const given = new Map<string, TypedTensor>([["x", { dtype: "float32", tensor: tensor(inputShape, input(scale)) }]]);
    try {
      const [departure] = await plain.departures(given);
      if (departure) return { outcome: "marked by the guard", detail: departure.at };
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      return { outcome: "refused by the client", detail: error.diagnostics[0]!.code };
    }
    const { outputs } = await session.query(given);
    const found = outputs.get("y")!.tensor.data;
    const exact = (await reference.run(given)).get("y")!.tensor.data;
    const [{ declared, undecided }] = [...(await boundsOf(plain, given)).values()] as [OutputBounds];
    // What decisions within their distances explain is no error.
    const error = found.reduce((most, x, k) => Math.max(most, Math.abs(x - exact[k]!) - undecided[k]!), 0);
    const detail = `${error.toPrecision(3)} of ${declared.toPrecision(3)} declared`;
    return { outcome: error <= declared ? "right" : "wrong", detail };
  };
  const runs: WholeRun[] = [];
  for (let k = 0; k < inputs; k++) runs.push({ seed, ...(await ask()) });
  await session.end();
  await Promise.all([plain.release(), reference.release()]);
  return runs;
}

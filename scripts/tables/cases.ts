import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { runCommandLine } from "../../compiler/cli/command-line.ts";
import { openOnnxSession, readInputFiles } from "../../compiler/run/index.ts";
import { readNpz, type TypedTensor } from "../../compiler/tensors/index.ts";

export interface CaseRun {
  /** "ok", or the code of the first error. */
  readonly outcome: string;
  readonly output?: string;
  /** Largest magnitude of ONNX Runtime's answer, and the largest difference from it. */
  readonly largest?: number;
  readonly error?: number;
  /** Largest difference of the parties' answer from the interpreter's. */
  readonly fromPlain?: number;
}

export interface CaseResult {
  readonly name: string;
  /** "ok", the code of the first error, or what keeps the command from running here. */
  readonly compiled: string;
  /** The advice of a refusal that made it work. */
  readonly followed?: string;
  readonly runs: readonly CaseRun[];
}

type Outputs = ReadonlyMap<string, TypedTensor>;

/** Runs the command lines of a case's README.md, or the usual ones where it has none. */
export async function runCase(folder: string): Promise<CaseResult> {
  const name = basename(folder);
  const [compile, ...others] = commandsOf(folder);
  if (!compile || compile.some((word) => word === "…" || word.startsWith("(")))
    return { name, compiled: "not runnable as written", runs: [] };
  const dir = mkdtempSync(join(tmpdir(), "marillc-case-"));
  try {
    const build = join(dir, "build");
    const first = await marillc(folder, withOutput(compile, build));
    const advised = first.code === "ok" ? undefined : advice(first.help);
    const second = advised && (await marillc(folder, withOutput([...compile, ...advised], build)));
    const compiled = second?.code === "ok" ? `${first.code}, then ok` : first.code;
    const result = { name, compiled, ...(second?.code === "ok" && { followed: advised!.join(" ") }) };
    if (!compiled.endsWith("ok") || compile[0] !== "compile") return { ...result, runs: [] };
    const queries = others.filter(([command]) => command === "run").map((words) => inputsOf(words));
    const inputs = queries.length > 0 ? queries : [usualInputs(folder)];
    const runs: CaseRun[] = [];
    for (const each of inputs) runs.push(...(await runOnce(folder, dir, each, compile)));
    return { ...result, runs };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The `marillc` lines of the fenced blocks of its page, without comments. */
function commandsOf(folder: string): readonly (readonly string[])[] {
  const page = join(folder, "README.md");
  const fences = existsSync(page) ? readFileSync(page, "utf8").split(/^```.*$/m) : [];
  const lines = fences.filter((_, k) => k % 2 === 1).flatMap((fence) => fence.split("\n"));
  const commands = lines.flatMap((line) => {
    const [, words] = /^marillc (.*?)(\s+#.*)?$/.exec(line.trim()) ?? [];
    return words === undefined ? [] : [words.split(/\s+/).map((word) => word.replace(/^'(.*)'$/, "$1"))];
  });
  if (commands.length > 0) return commands;
  return [["compile", "model.onnx", "--private", "*", "--reveal", "*:client", "--calibrate", "calib"]];
}

const withOutput = (words: readonly string[], build: string): readonly string[] => {
  const at = words.indexOf("-o");
  const kept = at < 0 ? words : words.toSpliced(at, 2);
  return kept[0] === "compile" ? [...kept, "-o", build] : kept;
};

interface Called {
  readonly code: string;
  readonly help: string;
}

/** A command line in this process, in the folder of the case. */
async function marillc(folder: string, words: readonly string[]): Promise<Called> {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text);
  const never = new Promise<void>(() => {});
  const home = process.cwd();
  process.chdir(folder);
  try {
    const io = {
      out: write,
      err: write,
      isTerminal: false,
      environment: {},
      interrupted: never,
      onHangup: () => () => {},
      beforeSignal: () => () => {},
    };
    const status = await runCommandLine(words, io);
    const text = lines.join("");
    const [code] = /MRL\d{4}/.exec(text) ?? [];
    const help = [...text.matchAll(/^\s*help\s+(.*)$/gm)].map(([, line]) => line!).join("\n");
    return { code: status === 0 ? "ok" : (code ?? `exit ${status}`), help };
  } finally {
    process.chdir(home);
  }
}

/** The first option that the help of a refusal tells to compile with. */
function advice(help: string): readonly string[] | undefined {
  const [found] = /--(margin [\d.]+|publish-ranges|quality precise|public \S+|dim \S+)/.exec(help) ?? [];
  return found?.replace(/[,;.]$/, "").split(" ");
}

const inputsOf = (words: readonly string[]): readonly string[] =>
  words.flatMap((word, k) => (words[k - 1] === "--input" ? [word] : []));

/** One test input of each name, or the first calibration sample. */
function usualInputs(folder: string): readonly string[] {
  const tests = join(folder, "test");
  if (existsSync(tests)) {
    const files = readdirSync(tests).filter((file) => /\.npy$/.test(file));
    if (files.length > 0) return files.map((file) => `${file.replace(/\.npy$/, "")}=test/${file}`);
  }
  const samples = join(folder, "calib");
  const [first] = existsSync(samples) ? readdirSync(samples).sort() : [];
  return first === undefined ? [] : [`calib/${first}`];
}

async function runOnce(
  folder: string,
  dir: string,
  inputs: readonly string[],
  compile: readonly string[],
): Promise<readonly CaseRun[]> {
  const ask = (file: string, ...more: readonly string[]): Promise<Called> =>
    marillc(folder, [
      "run",
      join(dir, "build"),
      ...inputs.flatMap((each) => ["--input", each]),
      "--output",
      join(dir, file),
      ...more,
    ]);
  const secure = await ask("secure.npz", "--in-process");
  if (secure.code !== "ok") return [{ outcome: secure.code }];
  const plain = await ask("plain.npz", "--plain");
  const found = outputsIn(join(dir, "secure.npz"));
  const fixed = plain.code === "ok" ? outputsIn(join(dir, "plain.npz")) : undefined;
  const exact = compile.includes("--adapter")
    ? undefined
    : await exactOutputs(join(folder, compile[1]!), folder, inputs);
  return [...found].map(([output, { tensor }]) => {
    const other = exact?.get(output)?.tensor.data;
    const same = fixed?.get(output)?.tensor.data;
    return {
      outcome: "ok",
      output,
      ...(other && { largest: largest(other), error: difference(tensor.data, other) }),
      ...(same && { fromPlain: difference(tensor.data, same) }),
    };
  });
}

const outputsIn = (file: string): Outputs => readNpz(readFileSync(file), file);

/** What ONNX Runtime says; undefined where it cannot run the file. */
async function exactOutputs(model: string, folder: string, inputs: readonly string[]): Promise<Outputs | undefined> {
  const placed = inputs.map((each) =>
    each.replace(/^(\w[^=]*=)?(.*)$/, (_, name = "", path) => `${name}${join(folder, path)}`),
  );
  try {
    const session = await openOnnxSession(model);
    try {
      return await session.run(readInputFiles(placed));
    } finally {
      await session.release();
    }
  } catch {
    return undefined;
  }
}

const largest = (data: Float64Array): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const difference = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, x, k) => Math.max(most, Math.abs(x - b[k]!)), 0);

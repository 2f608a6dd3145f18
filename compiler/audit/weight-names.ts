import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/** The model's tensor name, without the scale at which a program takes it. */
export const sourceTensor = (tensor: string): string => tensor.replace(/@-?\d+$/, "");

/** Stands for a name of the manifest's list in the name of a tensor. */
const listedName = "\0";
const constants = /\bconstant(:[^\s*|&()\0]*| [^*|&()\0]*)/g;
/** What passes compute from weights, by the names that they give. */
const computed = /(\0|[A-Za-z_][A-Za-z0-9_.]*) of |\b(turned|as number|chosen|other|near)\b|(?<=\0)(:\d+|\.bounded)/g;
const numbers = /(?<![\w.])-?\d[\w.+-]*/g;
const signs = /^[\0\s*|&()/-]*$/;
const inName = /[A-Za-z0-9_.]/;

export interface NamedWeights {
  /** Weights of the list. */
  readonly names: readonly string[];
  readonly hasConstants: boolean;
  /** There is nothing else but signs. */
  readonly isWhole: boolean;
}

/**
 * Names of tensors say which weights they follow from: `W`, `W*norm.weight`, `A|B`, `t1 of gamma & variance`. Gives a
 * reader that takes those of the list out of a name, the longest first, and constants.
 */
export function createNameReader(listed: readonly string[]): (tensor: string) => NamedWeights {
  const whole = new Set(listed);
  const longestFirst = listed.toSorted((a, b) => b.length - a.length);
  return (tensor) => {
    const source = sourceTensor(tensor);
    // A weight may be named as another one at a scale, `W@2`: then the name says both.
    const own = source !== tensor && whole.has(tensor) ? [tensor] : [];
    if (whole.has(source)) return { names: [...own, source], hasConstants: false, isWhole: true };
    if (own.length > 0) return { names: own, hasConstants: false, isWhole: true };
    const names: string[] = [];
    let rest = source;
    for (const name of longestFirst) {
      const without = withoutName(rest, name);
      if (without !== rest) names.push(name);
      rest = without;
    }
    const known = rest.replace(constants, listedName);
    const remains = known.replace(computed, "").replace(numbers, "");
    return { names, hasConstants: known !== rest, isWhole: remains.includes(listedName) && signs.test(remains) };
  };
}

/** Replaces a name where it is whole: no letter, digit, `_` or `.` beside it. */
function withoutName(text: string, name: string): string {
  if (name === "" || !text.includes(name)) return text;
  const parts = text.split(name);
  return parts.slice(1).reduce((all, part, k) => {
    const isName = !inName.test(parts[k]!.at(-1) ?? "") && !inName.test(part[0] ?? "");
    return all + (isName ? listedName : name) + part;
  }, parts[0]!);
}

/** The tensors of all programs, and which weights of the manifest's list their names name. */
function namedTensors(programs: readonly ParsedProgramText[], { weights }: ParsedManifest) {
  const weightsIn = createNameReader(weights.map(({ name }) => name));
  const tensors = programs.flatMap((program) => [...program.weights.values()].map(({ tensor }) => tensor));
  return [...new Set(tensors)].map((tensor) => ({ tensor: sourceTensor(tensor), ...weightsIn(tensor) }));
}

/** No program uses a tensor that follows from a weight which the manifest does not list, by its name. */
export const checkWeightList = (
  programs: readonly ParsedProgramText[],
  manifest: ParsedManifest,
): readonly Finding[] => {
  const named = namedTensors(programs, manifest).flatMap(({ tensor, isWhole }) => (isWhole ? [] : [tensor]));
  return [...new Set(named)].map((tensor) => ({
    code: "MRL0910",
    message: `${tensor} follows from a weight that the manifest does not list`,
    at: "manifest.json",
  }));
};

/**
 * Private weights of the manifest's list that no program uses: parts of the model behind outputs that nobody asked for.
 * Where the server has inputs, it uses weights in the clear as well, and none is told.
 */
export function unusedWeights(programs: readonly ParsedProgramText[], manifest: ParsedManifest): readonly string[] {
  if ((manifest.serverCuts ?? []).length > 0) return [];
  const used = new Set(namedTensors(programs, manifest).flatMap(({ names }) => names));
  return manifest.weights.flatMap(({ name, label }) => (label === "server" && !used.has(name) ? [name] : []));
}

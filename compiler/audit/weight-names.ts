import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/** The model's tensor name, without the scale at which a program takes it. */
export const sourceTensor = (tensor: string): string => tensor.replace(/@-?\d+$/, "");

/** Stands for a name of the manifest's list in the name of a tensor. */
const listedName = "\0";
const constants = /\bconstant(:[^\s*|&()\0]*| [^*|&()\0]*)/g;
/** What passes compute from weights, by the names that they give. */
const computed = /(\0|[A-Za-z_][A-Za-z0-9_.]*) of |\b(turned|as number|chosen|other)\b|(?<=\0)(:\d+|\.bounded)/g;
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
 * Names of tensors say which weights they follow from: `W`, `W*norm.weight`, `A|B`, `t1 of gamma & variance`. Takes those
 * of the list out, the longest first, and constants.
 */
export function weightsNamedIn(tensor: string, listed: readonly string[]): NamedWeights {
  const names: string[] = [];
  let rest = sourceTensor(tensor);
  for (const name of listed.toSorted((a, b) => b.length - a.length)) {
    const without = withoutName(rest, name);
    if (without !== rest) names.push(name);
    rest = without;
  }
  const known = rest.replace(constants, listedName);
  const remains = known.replace(computed, "").replace(numbers, "");
  return { names, hasConstants: known !== rest, isWhole: remains.includes(listedName) && signs.test(remains) };
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

/**
 * Compares the tensors of all programs with the manifest's list of weights: none follows from a weight that is not in
 * it, by its name, and every private weight of it is used. Where the server has inputs, it uses weights in the clear.
 */
export function checkWeightList(
  programs: readonly ParsedProgramText[],
  { weights, serverCuts = [] }: ParsedManifest,
): readonly Finding[] {
  const listed = weights.map(({ name }) => name);
  const tensors = new Set(programs.flatMap((program) => [...program.weights.values()].map(({ tensor }) => tensor)));
  const found = [...tensors].map((tensor) => ({ tensor: sourceTensor(tensor), ...weightsNamedIn(tensor, listed) }));
  const used = new Set(found.flatMap(({ names }) => names));
  const strange = new Set(found.flatMap(({ tensor, isWhole }) => (isWhole ? [] : [tensor])));
  const idle = weights.filter(({ name, label }) => label === "server" && !used.has(name));
  const messages = [
    ...[...strange].map((name) => `${name} follows from a weight that the manifest does not list`),
    ...(serverCuts.length > 0 ? [] : idle).map(
      ({ name }) => `no program uses ${name}, which the manifest lists as private`,
    ),
  ];
  return messages.map((message) => ({ code: "MRL0910", message, at: "manifest.json" }));
}

import { existsSync } from "node:fs";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { sameShape } from "../../ir/type.ts";
import type { Manifest } from "../build/index.ts";
import { readInputTensors } from "../inputs/index.ts";
import { findDuplicates } from "../tensors/files/index.ts";
import { type Dtype, dtypeOfType, type TypedTensor } from "../tensors/index.ts";

type DeclaredInput = Manifest["inputs"][number];

const isIntegerType = (dtype: Dtype): boolean => dtype.includes("int") || dtype === "bool";

/** A file or folder with inputs; the name is absent where the files name their tensors. */
export interface InputFile {
  readonly name?: string;
  readonly file: string;
}

/**
 * `name=file`, or a file alone. Names and paths may contain `=` as well: the name ends at the first one behind which a
 * file exists, or at the first of all.
 */
export function inputFileOf(argument: string): InputFile {
  const ends = [...argument.matchAll(/=/g)].map(({ index }) => index);
  const split = (at: number): InputFile => ({ name: argument.slice(0, at), file: argument.slice(at + 1) });
  const [first] = ends;
  if (first === undefined) return { file: argument };
  const named = ends.map(split).find(({ file }) => file !== "" && existsSync(file));
  return named ?? (existsSync(argument) ? { file: argument } : split(first));
}

/**
 * Reads the tensors of files; a file that names its tensors needs no name before it.
 * @throws DiagnosticError MRL0817 for a tensor that is given twice
 */
export function readInputFiles(
  given: readonly (string | InputFile)[],
  tensors: ReadonlyMap<string, TypedTensor> = new Map(),
): ReadonlyMap<string, TypedTensor> {
  const entries = given.flatMap((argument): readonly (readonly [string, TypedTensor])[] => {
    const { name, file } = typeof argument === "string" ? inputFileOf(argument) : argument;
    const found = readInputTensors(file);
    if (name === undefined) return [...found];
    const tensor = found.get(name) ?? (found.size === 1 ? [...found.values()][0] : undefined);
    return tensor ? [[name, tensor]] : [];
  });
  const all = [...entries, ...tensors];
  throwIfAny(findDuplicates(all.map(([name]) => name)).map(givenTwice));
  return new Map(all);
}

const givenTwice = (name: string): Diagnostic => ({
  code: "MRL0817",
  message: `expected each input once, found ${name === "" ? "two tensors without a name" : `"${name}" twice`}`,
  help: "give each input in one file: --input <name>=<file>, or one file that names all its tensors",
});

/** Whose inputs are checked: one party's, or those of both where both run here. */
export type InputsOf = "client" | "server" | "both";

/** The client supplies public inputs too, and neither alone what arrives as shares. */
const isOf = ({ label }: DeclaredInput, of: InputsOf): boolean =>
  of === "both" || (label !== "shared" && (label === "server") === (of === "server"));

/** A party's own among the inputs of both. */
export const inputsOfParty = (
  { inputs }: Manifest,
  given: ReadonlyMap<string, TypedTensor>,
  of: InputsOf,
): ReadonlyMap<string, TypedTensor> => {
  const own = new Set(inputs.filter((each) => isOf(each, of)).map(({ name }) => name));
  return new Map([...given].filter(([name]) => own.has(name)));
};

/**
 * Checks the inputs of a party against the shapes and types of the model.
 * @throws DiagnosticError MRL0811 and MRL0812 with all problems at once
 */
export function checkInputs(
  { inputs }: Pick<Manifest, "inputs">,
  given: ReadonlyMap<string, TypedTensor>,
  of: InputsOf = "client",
): ReadonlyMap<string, TypedTensor> {
  const wanted = inputs.filter((each) => isOf(each, of));
  const wrong: Diagnostic[] = [];
  const checked = new Map<string, TypedTensor>();
  // A single tensor without a name can only be the single input.
  const unnamed = wanted.length === 1 && given.size === 1 ? given.get("") : undefined;
  for (const declared of wanted) {
    const found = given.get(declared.name) ?? unnamed;
    const made = found ? convertInput(declared, found) : missingInput(declared);
    if ("code" in made) wrong.push(made);
    else checked.set(declared.name, made);
  }
  for (const name of given.keys()) {
    if (name === "" ? unnamed : wanted.some((declared) => declared.name === name)) continue;
    const other = inputs.find((declared) => declared.name === name);
    const whose = of === "both" ? "the model" : `the ${of}`;
    const help = other ? elsewhere(other) : `give inputs of ${whose}: ${wanted.map(describe).join(", ") || "none"}`;
    wrong.push({ code: "MRL0811", message: `expected an input of ${whose}, found "${name}"`, help });
  }
  throwIfAny(wrong);
  return checked;
}

/** Where the input of the other party is given. */
const elsewhere = ({ name, label }: DeclaredInput): string =>
  label === "shared"
    ? `it arrives as shares: --input ${name}=<file that --shares of an earlier program wrote>.safetensors`
    : label === "server"
      ? `it is the server's: marillc serve … --input ${name}=<file or folder>`
      : `it is the client's: marillc query … --input ${name}=<file>`;

const describe = ({ name, type, shape }: DeclaredInput): string => `${name} ${type}[${shape.join(", ")}]`;

const missingInput = (declared: DeclaredInput): Diagnostic => ({
  code: "MRL0811",
  message: `expected input "${declared.name}", found none`,
  help: `give it: --input ${declared.name}=<file.npy|.npz|.pb|.json> with ${describe(declared)}`,
});

function convertInput(declared: DeclaredInput, { tensor }: TypedTensor): TypedTensor | Diagnostic {
  const at = `input "${declared.name}"`;
  const dtype = dtypeOfType(declared.type);
  if (!sameShape(declared.shape, tensor.shape)) {
    const message = `expected a tensor of shape [${declared.shape.join(", ")}], found [${tensor.shape.join(", ")}]`;
    const help = "give a tensor of this shape: `marillc compile` fixed it (--dim name=size, or the model itself)";
    return { code: "MRL0812", message, at, help };
  }
  const fits = (x: number): boolean =>
    Number.isNaN(x) ? declared.gaps === true : Number.isFinite(x) && (!isIntegerType(dtype) || Number.isInteger(x));
  const broken = tensor.data.find((x) => !fits(x));
  if (broken === undefined) return { dtype, tensor };
  const help = "give numbers: only a model that fills gaps itself, as with an Imputer, takes NaN for a missing element";
  return { code: "MRL0812", message: `expected ${declared.type}, found ${broken}`, at, help };
}

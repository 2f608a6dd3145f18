import { counted } from "../../../ir/counted.ts";
import type { Diagnostic } from "../../../ir/diagnostic.ts";
import type { OnnxModel, OnnxValueInfo } from "../format/index.ts";

/** Short names for the names of exporters: `--dim seq=8` binds `sequence_length`. */
const dimAliases: Readonly<Record<string, readonly string[]>> = {
  sequence_length: ["seq", "sequence", "seq_len"],
  batch_size: ["batch"],
  past_sequence_length: ["past", "past_sequence", "past_seq"],
  total_sequence_length: ["total"],
};
/** Sums that exporters of caches mean: every position is cached or new. */
const dimSums: Readonly<Record<string, readonly string[]>> = {
  total_sequence_length: ["past_sequence_length", "sequence_length"],
};
const aliasGroups = Object.entries(dimAliases).map(([name, others]) => new Set([name, ...others]));

export interface BoundDims {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** MRL0402 and MRL0403. */
  readonly problems: readonly Diagnostic[];
}

/** Names that exporters number: no user knows them, so messages name the position instead. */
const generatedName = /^unk__\d+$/;

/**
 * Shapes of the inputs with every size bound. A size has the name of its symbol, and that of its position: `x.2` is the
 * third of the input x, whether it has a symbol or not. An unbound one counts as 1, and is a problem.
 */
export function bindDims(
  { graph, file }: OnnxModel,
  inputs: readonly OnnxValueInfo[],
  dims: ReadonlyMap<string, number>,
): BoundDims {
  const problems: Diagnostic[] = [];
  const unbound = new Set<string>();
  const { sizes, used, problems: conflicts } = bindPositions(inputs, dims, file);
  const lookUp = (name: string): number | undefined => {
    const group = aliasGroups.find((each) => each.has(name));
    const key = [name, ...(group ?? [])].find((each) => sizes.has(each));
    if (key === undefined) {
      const parts = [...(group ?? [])].flatMap((each) => dimSums[each] ?? []).map(lookUp);
      const sum = parts.reduce<number | undefined>((all, part) => add(all, part), 0);
      return parts.length > 0 ? sum : undefined;
    }
    used.add(key);
    return sizes.get(key)!;
  };
  const shapes = new Map<string, readonly number[]>();
  for (const input of inputs) {
    if (!input.dims) {
      // A value that is not a tensor has no rank, and is refused later.
      if (input.kind !== "tensor") continue;
      problems.push({ code: "MRL0402", message: `the rank of input "${input.name}" is unknown`, at: file });
      continue;
    }
    const open = new Set<string>();
    const shape = input.dims.map((dim, axis) => {
      if (typeof dim === "number") return dim;
      const position = `${input.name}.${axis}`;
      if (dims.has(position)) return dims.get(position)!;
      if (dim === undefined) return open.add(position) && 1;
      const bound = evaluateDim(dim, lookUp);
      for (const name of bound.unbound) open.add(generatedName.test(name) ? position : name);
      return bound.size ?? 1;
    });
    // An input that is empty in any case, or stored, does not need the other sizes.
    if (!shape.includes(0) && !graph.initializers.has(input.name)) for (const name of open) unbound.add(name);
    shapes.set(input.name, shape);
  }
  const names = dimNames(inputs);
  return { shapes, problems: [...problems, ...conflicts, ...dimProblems(file, unbound, dims, used, names)] };
}

const add = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b;

/** Every name that `--dim` may give, symbols first. */
function dimNames(inputs: readonly OnnxValueInfo[]): readonly string[] {
  const open = inputs.flatMap(({ name, dims = [] }) =>
    dims.map((dim, axis) => ({ dim, position: `${name}.${axis}` })).filter(({ dim }) => typeof dim !== "number"),
  );
  const symbols = open.flatMap(({ dim }) => (typeof dim === "string" && !generatedName.test(dim) ? [dim] : []));
  return [...new Set([...symbols, ...open.map(({ position }) => position)])];
}

interface PositionedSizes {
  /** The given sizes, and those of symbols that a position binds. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly used: Set<string>;
  readonly problems: readonly Diagnostic[];
}

/** Sizes that are given by position, as `x.2`. Where that dimension has a symbol, all others with it have this size. */
function bindPositions(
  inputs: readonly OnnxValueInfo[],
  dims: ReadonlyMap<string, number>,
  file: string,
): PositionedSizes {
  const sizes = new Map(dims);
  const used = new Set<string>();
  const problems: Diagnostic[] = [];
  for (const { name, dims: own = [] } of inputs) {
    for (const [axis, dim] of own.entries()) {
      const position = `${name}.${axis}`;
      const size = dims.get(position);
      if (size === undefined) continue;
      used.add(position);
      const known = typeof dim === "string" ? sizes.get(dim) : dim;
      if (known !== undefined && known !== size) {
        const other = typeof dim === "string" ? `${dim} is ${known}` : `the model fixes it to ${known}`;
        problems.push({ code: "MRL0403", message: `--dim ${position}=${size}, but ${other}`, at: file });
      }
      if (typeof dim === "string" && isSymbol(dim)) sizes.set(dim, size);
    }
  }
  return { sizes, used, problems };
}

/** Whether a dimension is one symbol rather than an expression of several. */
const isSymbol = (dim: string): boolean => !/[+*-]/.test(dim);

function dimProblems(
  file: string,
  unbound: ReadonlySet<string>,
  dims: ReadonlyMap<string, number>,
  used: ReadonlySet<string>,
  names: readonly string[],
): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (unbound.size > 0) {
    // A batch or a sequence of one is the least that most models answer.
    const help = [...unbound].map((name) => `--dim ${name}=1`).join(" ");
    const message = `expected a size for ${counted(unbound.size, "dimension")}, found none: ${[...unbound].join(", ")}`;
    found.push({
      code: "MRL0402",
      message,
      at: file,
      help: `programs are compiled for fixed shapes, for example: ${help}`,
    });
  }
  for (const [name, size] of dims) {
    if (!Number.isSafeInteger(size) || size < 0) {
      found.push({
        code: "MRL0403",
        message: `expected an integer of at least 0 for --dim ${name}, found ${size}`,
        at: file,
      });
    } else if (!used.has(name)) {
      const message = `the model has no dimension ${name} to size`;
      const help = names.length > 0 ? `dimensions: ${names.join(", ")}` : "every size of its inputs is fixed";
      found.push({ code: "MRL0403", message, at: file, help });
    }
  }
  return found;
}

interface EvaluatedDim {
  readonly size: number | undefined;
  /** Symbols without a size. */
  readonly unbound: readonly string[];
}

type SizeLookup = (name: string) => number | undefined;

function evaluateSymbol(name: string, lookUp: SizeLookup): EvaluatedDim {
  const size = lookUp(name);
  return { size, unbound: size === undefined ? [name] : [] };
}

/**
 * Evaluates a symbol, or sums, differences and products of symbols and numbers: `past_sequence_length +
 * sequence_length`.
 */
function evaluateDim(text: string, lookUp: SizeLookup): EvaluatedDim {
  const whole = evaluateSymbol(text, lookUp);
  if (whole.size !== undefined || isSymbol(text)) return whole;
  const unbound: string[] = [];
  let sum = 0;
  for (const [, sign, term] of text.matchAll(/([+-]?)\s*([^+-]+)/g)) {
    let product = sign === "-" ? -1 : 1;
    for (const factor of term!.split("*").map((each) => each.trim())) {
      const value = /^\d+$/.test(factor) ? Number(factor) : lookUp(factor);
      if (value === undefined) unbound.push(factor);
      product *= value ?? 1;
    }
    sum += product;
  }
  return { size: sum, unbound };
}

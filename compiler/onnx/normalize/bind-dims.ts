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

/** Shapes of the inputs with every symbol bound. An unbound symbol counts as 1, and is a problem. */
export function bindDims(
  { graph, file }: OnnxModel,
  inputs: readonly OnnxValueInfo[],
  dims: ReadonlyMap<string, number>,
): BoundDims {
  const problems: Diagnostic[] = [];
  const unbound = new Set<string>();
  const used = new Set<string>();
  const lookUp = (name: string): number | undefined => {
    const group = aliasGroups.find((each) => each.has(name));
    const key = [name, ...(group ?? [])].find((each) => dims.has(each));
    if (key === undefined) {
      const parts = [...(group ?? [])].flatMap((each) => dimSums[each] ?? []).map(lookUp);
      const sum = parts.reduce<number | undefined>((all, part) => add(all, part), 0);
      return parts.length > 0 ? sum : undefined;
    }
    used.add(key);
    return dims.get(key)!;
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
      const symbol = dim ?? `${input.name}.${axis}`;
      const bound = dim === undefined ? evaluateSymbol(symbol, lookUp) : evaluateDim(symbol, lookUp);
      for (const name of bound.unbound) open.add(name);
      return bound.size ?? 1;
    });
    // An input that is empty in any case, or stored, does not need the other sizes.
    if (!shape.includes(0) && !graph.initializers.has(input.name)) for (const name of open) unbound.add(name);
    shapes.set(input.name, shape);
  }
  return { shapes, problems: [...problems, ...dimProblems(file, unbound, dims, used, graph.name)] };
}

const add = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b;

function dimProblems(
  file: string,
  unbound: ReadonlySet<string>,
  dims: ReadonlyMap<string, number>,
  used: ReadonlySet<string>,
  graph: string,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (unbound.size > 0) {
    const help = [...unbound].map((name) => `--dim ${name}=…`).join(" ");
    const message = `expected a size for each of ${unbound.size} dimensions: ${[...unbound].join(", ")}`;
    found.push({ code: "MRL0402", message, at: file, help: `programs are compiled for fixed shapes: ${help}` });
  }
  for (const [name, size] of dims) {
    if (!Number.isSafeInteger(size) || size < 0) {
      found.push({
        code: "MRL0403",
        message: `expected an integer of at least 0 for --dim ${name}, found ${size}`,
        at: file,
      });
    } else if (!used.has(name)) {
      found.push({ code: "MRL0403", message: `graph "${graph}" has no dimension ${name}`, at: file });
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
  if (whole.size !== undefined || !/[+*-]/.test(text)) return whole;
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

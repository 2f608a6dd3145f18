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

/** Shapes of the inputs with every symbol bound, and the problems found (MRL0402, MRL0403). */
export function bindDims(
  { graph, file }: OnnxModel,
  inputs: readonly OnnxValueInfo[],
  dims: ReadonlyMap<string, number>,
  problems: Diagnostic[],
): ReadonlyMap<string, readonly number[]> {
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
      const size = dim === undefined ? lookUp(`${input.name}.${axis}`) : evaluateDim(dim, lookUp, open);
      if (dim === undefined && size === undefined) open.add(`${input.name}.${axis}`);
      return size ?? 1;
    });
    // An input that is empty in any case, or stored, does not need the other sizes.
    if (!shape.includes(0) && !graph.initializers.has(input.name)) for (const name of open) unbound.add(name);
    shapes.set(input.name, shape);
  }
  problems.push(...dimProblems(file, unbound, dims, used, graph.name));
  return shapes;
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

/**
 * Evaluates a symbol, or sums, differences and products of symbols and numbers: `past_sequence_length +
 * sequence_length`.
 */
function evaluateDim(
  text: string,
  lookUp: (name: string) => number | undefined,
  unbound: Set<string>,
): number | undefined {
  const bound = lookUp(text);
  if (bound !== undefined) return bound;
  if (!/[+*-]/.test(text)) return void unbound.add(text);
  let sum = 0;
  for (const [, sign, term] of text.matchAll(/([+-]?)\s*([^+-]+)/g)) {
    let product = sign === "-" ? -1 : 1;
    for (const factor of term!.split("*").map((each) => each.trim())) {
      const value = /^\d+$/.test(factor) ? Number(factor) : lookUp(factor);
      if (value === undefined) unbound.add(factor);
      product *= value ?? 1;
    }
    sum += product;
  }
  return sum;
}

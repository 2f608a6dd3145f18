/**
 * Deferred tensors: large tensors whose elements are computed when somebody needs them. A function of this folder that
 * works element by element gives a recipe instead of contents; whoever reads the contents, or packs them for the wire,
 * makes one kernel of the recipes behind them (runtime/kernels). So a chain of operators reads and writes memory once.
 *
 * A recipe depends on shapes and public numbers alone, never on contents: a kernel is the same in every query.
 */
import {
  type Builder,
  execute,
  type Input,
  type Kernel,
  kernelBuilder,
  mostInputs,
  type Term,
} from "../kernels/index.ts";
import type { Axis } from "./broadcast.ts";
import { readStrided } from "./strided.ts";
import { deferredOf, deferredTensor, isMeta, lanesOf, type RingTensor, type Shape, sizeOf } from "./tensor.ts";

/** Elements from which on deferring pays: below, a loop is done before a kernel is found. */
export const deferFrom = { elements: 8192 };

/** Terms of a kernel: beyond, parts are computed on their own. */
const mostTerms = mostInputs;
/** Recipes behind one another: each takes some frames of the stack. */
const mostDepth = 200;
/** A recipe of fewer terms is computed for each of its users: that costs less than to store it. */
const cheapTerms = 16;
/** Rows that are computed by one kernel, if their terms are few. */
const mostRows = 32;

/** How a recipe reads an operand: an element for each, the same for all, or as its strides say. */
type Pattern = "each" | "one" | readonly Axis[];

export interface Operand {
  readonly tensor: RingTensor;
  readonly pattern: Pattern;
}

export type Emit = (
  code: Builder,
  /** The element of an operand; of an operand with an element for each, another one: `at` elements from its front. */
  read: (operand: number, at?: number) => Term,
  row: number,
) => Term;

export interface Recipe {
  readonly operands: readonly Operand[];
  /** All elements of a row are computed alike; rows may differ. */
  readonly rowLength: number;
  /** Reads of each operand in a row; default 1. */
  readonly reads?: number;
  /** Terms of a row beside its operands'; default 1. */
  readonly own?: number;
  readonly emit: Emit;
}

interface Pending extends Recipe {
  /** Terms of a row, at most. */
  readonly terms: number;
  /** The longest chain of recipes that ends here. */
  readonly depth: number;
  /** Recipes that read it. */
  users: number;
}

/** What a deferred tensor is at the moment: a recipe, the wire format, or its elements. */
interface Contents {
  readonly width: number;
  readonly count: number;
  pending: Pending | undefined;
  packed: Uint8Array | undefined;
  words: Uint32Array | undefined;
}

const contentsOf = (tensor: RingTensor): Contents | undefined => deferredOf(tensor) as Contents | undefined;
/** Whether a tensor is not computed yet. */
export const isPending = (tensor: RingTensor): boolean => pendingOf(tensor) !== undefined;
/** Whether it is not an array of words yet. */
export const isDeferred = (tensor: RingTensor): boolean => {
  const contents = contentsOf(tensor);
  return contents !== undefined && contents.words === undefined;
};
const pendingOf = (tensor: RingTensor): Pending | undefined => contentsOf(tensor)?.pending;

/** Whether a result of this shape, from these operands, is worth deferring: a meta tensor never is. */
export const isWorthDeferring = (rowLength: number, operands: readonly RingTensor[]): boolean =>
  rowLength >= deferFrom.elements && !operands.some(isMeta);

/** A tensor that is computed by the recipe when it is needed. */
export function defer(shape: Shape, width: number, recipe: Recipe): RingTensor {
  const { reads = 1, own = 1 } = recipe;
  const termsOf = (): number =>
    own + reads * recipe.operands.reduce((sum, { tensor }) => sum + (pendingOf(tensor)?.terms ?? 1), 0);
  const depthOf = (): number => 1 + Math.max(0, ...recipe.operands.map(({ tensor }) => pendingOf(tensor)?.depth ?? 0));
  // The largest part first: afterwards it is one term.
  while (termsOf() > mostTerms || depthOf() > mostDepth) {
    const largest = recipe.operands
      .map(({ tensor }) => contentsOf(tensor))
      .filter((contents) => contents?.pending !== undefined)
      .sort((a, b) => b!.pending!.terms - a!.pending!.terms)[0];
    if (!largest) break;
    wordsOf(largest);
  }
  for (const { tensor } of recipe.operands) {
    const pending = pendingOf(tensor);
    if (pending) pending.users += 1;
  }
  const contents: Contents = {
    ...{ width, count: sizeOf(shape), packed: undefined, words: undefined },
    pending: { ...recipe, terms: termsOf(), depth: depthOf(), users: 0 },
  };
  return tensorOf(shape, contents);
}

/** A large tensor that arrived in the wire format: it is unpacked where it is used. */
export const deferUnpacking = (shape: Shape, width: number, packed: Uint8Array): RingTensor =>
  tensorOf(shape, { width, count: sizeOf(shape), pending: undefined, packed, words: undefined });

const computed = ({ width, shape, data }: RingTensor): Contents => ({
  ...{ width, count: sizeOf(shape), pending: undefined, packed: undefined, words: data },
});

const tensorOf = (shape: Shape, contents: Contents): RingTensor =>
  deferredTensor(shape, contents.width, contents, () => wordsOf(contents));

/** The same elements in another shape. */
export function reshapeDeferred(tensor: RingTensor, shape: Shape): RingTensor | undefined {
  const contents = contentsOf(tensor);
  return contents && tensorOf(shape, contents);
}

/** The length of a recipe's rows; undefined where all elements are computed alike. */
export function rowLengthOf(tensor: RingTensor): number | undefined {
  const contents = contentsOf(tensor);
  const length = contents?.pending?.rowLength;
  return length === contents?.count ? undefined : length;
}

/** The elements: computed once. */
function wordsOf(contents: Contents): Uint32Array {
  if (contents.words) return contents.words;
  const { width, packed } = contents;
  if (packed && width % 32 === 0 && packed.byteOffset % 4 === 0) {
    contents.words = new Uint32Array(packed.buffer, packed.byteOffset, packed.length / 4);
    return contents.words;
  }
  const lanes = lanesOf(width);
  const words = new Uint32Array(contents.count * lanes);
  const { pending } = contents;
  const rowLength = pending?.rowLength ?? contents.count;
  const rowWords = rowLength * lanes;
  forRows(contents, rowLength, (rows) => {
    const trace = createTrace(rowLength);
    const terms = rows.map((row) => trace.read(contents, row * rowLength));
    const kept = trace.shared().filter((other) => other !== contents);
    const { kernel, inputs } = trace.finish([...terms, ...kept.map((other) => trace.read(other, 0))]);
    const outputs = rows.map((row) => words.subarray(row * rowWords, (row + 1) * rowWords));
    const others = kept.map((other) => new Uint32Array(other.count * lanesOf(other.width)));
    execute(
      kernel,
      inputs,
      [...outputs, ...others].map((to) => ({ kind: "words", words: to })),
      rowLength,
    );
    kept.forEach((other, k) => {
      settle(other, { words: others[k]! });
    });
  });
  settle(contents, { words });
  return words;
}

/** The elements in the wire format; undefined for a tensor whose rows do not end at a byte. */
export function packDeferred(tensor: RingTensor): Uint8Array | undefined {
  const contents = contentsOf(tensor) ?? computed(tensor);
  const { width, count, pending, packed, words } = contents;
  if (packed) return packed;
  const rowLength = pending?.rowLength ?? count;
  if (rowLength < count && (rowLength * width) % 8 !== 0) return undefined;
  const bytes = new Uint8Array(Math.ceil((count * width) / 8));
  const rowBytes = Math.ceil((rowLength * width) / 8);
  forRows(contents, rowLength, (rows) => {
    const trace = createTrace(rowLength);
    const { kernel, inputs } = trace.finish(rows.map((row) => trace.read(contents, row * rowLength)));
    const outputs = rows.map((row) => bytes.subarray(row * rowBytes, (row + 1) * rowBytes));
    execute(
      kernel,
      inputs,
      outputs.map((to) => ({ kind: "packed", bytes: to, width })),
      rowLength,
    );
  });
  if (!words) settle(contents, { packed: bytes });
  return bytes;
}

/** What was computed replaces the recipe, and lets go of what that read: one form is kept. */
function settle(contents: Contents, found: { readonly words?: Uint32Array; readonly packed?: Uint8Array }): void {
  contents.pending = undefined;
  contents.words = found.words;
  contents.packed = found.packed;
}

/** Computes a deferred tensor now: where its time is to be spent. */
export function computeNow(tensor: RingTensor): RingTensor {
  const contents = contentsOf(tensor);
  if (contents?.pending) wordsOf(contents);
  return tensor;
}

function forRows({ count, pending }: Contents, rowLength: number, visit: (rows: readonly number[]) => void): void {
  const rows = count / rowLength;
  const together = Math.max(1, Math.min(mostRows, Math.floor(mostTerms / (pending?.terms ?? 1))));
  for (let first = 0; first < rows; first += together) {
    visit(Array.from({ length: Math.min(together, rows - first) }, (_, k) => first + k));
  }
}

const isShared = ({ users, terms }: Pending): boolean => users > 1 && terms >= cheapTerms;

interface Trace {
  /** The element of a tensor, `at` elements from its front for the first element of the kernel. */
  read(contents: Contents, at: number): Term;
  /** Recipes without rows that several others read: worth keeping. */
  shared(): readonly Contents[];
  finish(outputs: readonly Term[]): { readonly kernel: Kernel; readonly inputs: readonly Input[] };
}

/** Makes a kernel of recipes, for `length` elements. */
function createTrace(length: number): Trace {
  const code = kernelBuilder();
  const inputs: Input[] = [];
  const traced = new Map<object, Map<string, Term>>();
  const seen = new Set<Contents>();

  /** One term for each thing that is read, and each way. */
  const once = (of: object, way: string, make: () => Term): Term => {
    const ways = traced.get(of) ?? new Map<string, Term>();
    traced.set(of, ways);
    const term = ways.get(way) ?? make();
    ways.set(way, term);
    return term;
  };
  const input = (width: number, kind: "each" | "one", from: Input): Term => {
    inputs.push(from);
    return code.input(kind, lanesOf(width) === 1 ? "u32" : "u64", width);
  };
  const load = (words: Uint32Array, width: number, at: number): Term =>
    once(words, `from ${at}`, () => {
      const lanes = lanesOf(width);
      return input(width, "each", {
        kind: "each",
        read: (to, start, from, count) =>
          to.set(words.subarray(lanes * (at + from), lanes * (at + from + count)), start),
      });
    });
  const read = (contents: Contents, at: number): Term => {
    const { width, count, pending, packed, words } = contents;
    if (words) return load(words, width, at);
    if (packed && (at * width) % 8 === 0) {
      const end = Math.ceil(((at + length) * width) / 8);
      return once(packed, `packed ${at}`, () =>
        input(width, "each", { kind: "packed", bytes: packed.subarray((at * width) / 8, end), width }),
      );
    }
    if (!pending) return load(wordsOf(contents), width, at);
    const row = Math.floor(at / pending.rowLength);
    const within = at - row * pending.rowLength;
    // A recipe with users in another shape would be computed for each of them.
    if (within + length > pending.rowLength || (isShared(pending) && length < count && pending.rowLength === count)) {
      return load(wordsOf(contents), width, at);
    }
    seen.add(contents);
    return once(contents, `from ${at}`, () =>
      pending.emit(
        code,
        (k, from) => readOperand(pending.operands[k]!, from === undefined ? at : from + within, at),
        row,
      ),
    );
  };
  const readOperand = ({ tensor, pattern }: Operand, from: number, at: number): Term => {
    const contents = contentsOf(tensor);
    if (pattern === "each" && contents) return read(contents, from);
    const words = tensor.data!;
    if (pattern === "each") return load(words, tensor.width, from);
    if (pattern === "one") return once(words, "one", () => input(tensor.width, "one", { kind: "one", words }));
    return once(words, `${at} of ${pattern.map(({ size, step }) => `${size}:${step}`)}`, () =>
      input(tensor.width, "each", { kind: "each", read: readStrided(words, lanesOf(tensor.width), pattern, at) }),
    );
  };
  return {
    read,
    shared: () =>
      [...seen].filter(({ count, pending }) => pending !== undefined && isShared(pending) && count === length),
    finish: (outputs) => ({ kernel: code.finish(outputs), inputs }),
  };
}

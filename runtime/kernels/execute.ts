import { instantiate, newMemory } from "./engine.ts";
import { createInterpreter } from "./interpret.ts";
import { inputsOf, type Kernel, type Lane, outputLanes, wordsOf } from "./language.ts";
import { printKernel } from "./text.ts";
import { encodeKernel, groupSize, type TileLayout } from "./wasm.ts";
import { moduleBytes } from "./wasm-bytes.ts";
import { encodePack, encodeUnpack, packedGroup } from "./wasm-packing.ts";

/** Writes the words of elements [from, from + count) into `to`, from word `at` on. */
export type ReadElements = (to: Uint32Array, at: number, from: number, count: number) => void;

export type Input =
  | { readonly kind: "each"; readonly read: ReadElements }
  | { readonly kind: "one"; readonly words: Uint32Array }
  /** Elements in the wire format, `width` bits each, the first at a byte. */
  | { readonly kind: "packed"; readonly bytes: Uint8Array; readonly width: number };

export type Output =
  | { readonly kind: "words"; readonly words: Uint32Array }
  /** In the wire format; the last byte is padded with zeros. */
  | { readonly kind: "packed"; readonly bytes: Uint8Array; readonly width: number };

/** Memory of a tile: it stays in the second level of any core's cache. A kernel of very many inputs has more. */
const tileBytes = 384 * 1024;
/** Inputs that a kernel may have. */
export const mostInputs = 2000;
/** Beside them: outputs, and recipes that are kept. */
const mostOutputs = 500;
const mostElements = 8192;
/** Areas do not begin at one offset modulo a page: they would meet in the same lines of the cache. */
const stagger = 5 * 64;
const page = 65_536;

/** The texts of the kernels that were executed, and are still kept. */
export const knownKernels = (): readonly string[] => [...prepared.keys()];

interface Prepared {
  /** For the elements of a tile: of u32 areas of so many bytes, and twice as many in areas of the other lanes. */
  run: (bytes: number) => void;
  /** Values that were interpreted; undefined once the kernel is compiled. */
  interpreted: number | undefined;
  readonly layout: TileLayout;
  /** Elements of a tile: a whole number of groups, of packing too. */
  readonly elements: number;
  readonly inputs: readonly Lane[];
  readonly outputs: readonly Lane[];
}

/** Compiling takes as long as interpreting so many values: a kernel that is used less is not compiled. */
const worthCompiling = 2_000_000;

/** Kernels by their text, the oldest first. A program has some hundreds; a dealer meets many programs. */
const mostKernels = 2000;
const prepared = new Map<string, Prepared>();

/**
 * Executes a kernel on `count` elements, tile by tile. The time depends on the kernel and the count alone.
 * @throws RangeError unless there is an input and an output for each of the kernel's.
 */
export function execute(kernel: Kernel, inputs: readonly Input[], outputs: readonly Output[], count: number): void {
  const key = printKernel(kernel);
  const code = prepared.get(key) ?? prepare(kernel);
  prepared.delete(key);
  prepared.set(key, code);
  if (prepared.size > mostKernels) prepared.delete(prepared.keys().next().value!);
  compileIfWorth(code, kernel, count);
  if (inputs.length !== code.inputs.length || outputs.length !== code.outputs.length) {
    throw new RangeError(
      `a kernel of ${code.inputs.length} inputs and ${code.outputs.length} outputs got ${inputs.length} and ${outputs.length}`,
    );
  }
  const { words } = scratch();
  inputs.forEach((input, k) => {
    if (input.kind === "one") words.set(input.words, code.layout.inputs[k]! / 4);
  });
  for (let from = 0; from < count; from += code.elements) {
    const size = Math.min(code.elements, count - from);
    for (const [k, input] of inputs.entries()) readTile(input, code.layout.inputs[k]!, code.inputs[k]!, from, size);
    code.run(4 * roundUp(size, groupSize));
    for (const [k, output] of outputs.entries())
      writeTile(output, code.layout.outputs[k]!, code.outputs[k]!, from, size);
  }
}

function readTile(input: Input, address: number, lane: Lane, from: number, size: number): void {
  const { words, bytes, packedAt } = scratch();
  if (input.kind === "each") input.read(words, address / 4, from, size);
  if (input.kind !== "packed") return;
  const start = (from * input.width) / 8;
  bytes.set(input.bytes.subarray(start, start + Math.ceil((size * input.width) / 8)), packedAt);
  const end = address + 4 * wordsOf(lane) * roundUp(size, packedGroup);
  packing("unpack", input.width)(end, address, packedAt);
}

function writeTile(output: Output, address: number, lane: Lane, from: number, size: number): void {
  const { words, bytes, packedAt } = scratch();
  const at = address / 4;
  const each = wordsOf(lane);
  if (output.kind === "words") {
    output.words.set(words.subarray(at, at + each * size), each * from);
    return;
  }
  const padded = roundUp(size, packedGroup);
  words.fill(0, at + each * size, at + each * padded);
  packing("pack", output.width)(address + 4 * each * padded, address, packedAt);
  const length = Math.ceil((size * output.width) / 8);
  output.bytes.set(bytes.subarray(packedAt, packedAt + length), (from * output.width) / 8);
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

function prepare(kernel: Kernel): Prepared {
  const inputs = inputsOf(kernel);
  const lanes = { inputs: inputs.map(({ lane }) => lane), outputs: outputLanes(kernel) };
  const each = [...inputs.filter(({ kind }) => kind === "each").map(({ lane }) => lane), ...lanes.outputs];
  const perElement = each.reduce((sum, lane) => sum + 4 * wordsOf(lane), 0);
  const fitting = Math.floor(tileBytes / perElement / packedGroup) * packedGroup;
  const elements = Math.max(packedGroup, Math.min(mostElements, fitting));
  let end = 0;
  const reserve = (lane: Lane, count: number): number => {
    const start = end;
    end += 4 * wordsOf(lane) * count + stagger;
    return start;
  };
  const layout = {
    inputs: inputs.map(({ lane, kind }) => reserve(lane, kind === "one" ? 16 : elements)),
    outputs: lanes.outputs.map((lane) => reserve(lane, elements)),
  };
  ensureRoom(end);
  return { run: inTypeScript(kernel, layout), interpreted: 0, layout, elements, ...lanes };
}

/** Depends on the kernel and on counts alone, as the time of a kernel does. */
function compileIfWorth(code: Prepared, kernel: Kernel, count: number): void {
  if (code.interpreted === undefined || !hasSimd()) return;
  code.interpreted += count * kernel.values.length;
  if (code.interpreted < worthCompiling) return;
  const bytes = moduleBytes([encodeKernel(kernel, code.layout)]);
  code.run = (instantiate(bytes, imports()) as Pick<Prepared, "run">).run;
  code.interpreted = undefined;
}

/** The kernel in TypeScript, on the same tiles. */
function inTypeScript(kernel: Kernel, layout: TileLayout): Prepared["run"] {
  const inputs = inputsOf(kernel);
  let interpreter: ReturnType<typeof createInterpreter> | undefined;
  return (bytes) => {
    const { words } = scratch();
    const count = bytes / 4;
    interpreter ??= createInterpreter(kernel);
    const tiles = inputs.map(({ lane, kind }, k) => {
      const at = layout.inputs[k]! / 4;
      return words.subarray(at, at + wordsOf(lane) * (kind === "one" ? 1 : count));
    });
    interpreter(tiles, count).forEach((result, k) => {
      words.set(result, layout.outputs[k]! / 4);
    });
  };
}

// One memory for all kernels: one runs at a time, and nothing in it outlives a tile. Packed bytes have an area of their
// own at its end, with room for the word after the last. The rest holds the shortest tiles of the largest kernel.
const packedRoom = 8 * mostElements + 64;
const tilesRoom = (mostInputs + mostOutputs) * (8 * packedGroup + stagger);
const memory = { pages: Math.ceil((packedRoom + tilesRoom) / page), current: undefined as Scratch | undefined };

interface Scratch {
  readonly memory: ReturnType<typeof newMemory>;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  readonly packedAt: number;
}

function scratch(): Scratch {
  if (memory.current) return memory.current;
  const made = newMemory(memory.pages);
  memory.current = {
    memory: made,
    words: new Uint32Array(made.buffer),
    bytes: new Uint8Array(made.buffer),
    packedAt: made.buffer.byteLength - packedRoom,
  };
  return memory.current;
}

const imports = (): object => ({ kernels: { memory: scratch().memory } });

function ensureRoom(end: number): void {
  if (end > scratch().packedAt)
    throw new RangeError(`a kernel needs ${end} bytes of tiles, ${scratch().packedAt} are there`);
}

type Packing = (end: number, elements: number, packed: number) => void;
const packings = new Map<string, Packing>();

function packing(name: "pack" | "unpack", width: number): Packing {
  const key = `${name} ${width}`;
  const found = packings.get(key);
  if (found) return found;
  const body = name === "pack" ? encodePack(width) : encodeUnpack(width);
  const made = (instantiate(moduleBytes([body]), imports()) as Record<string, Packing>)[name]!;
  packings.set(key, made);
  return made;
}

let simd: boolean | undefined;

/** Whether the engine has vectors: all current ones do. */
function hasSimd(): boolean {
  if (simd !== undefined) return simd;
  try {
    const probe = { values: [{ kind: "constant", lane: "u32", low: 0, high: 0 }], outputs: [0] } as const;
    instantiate(moduleBytes([encodeKernel(probe, { inputs: [], outputs: [0] })]), imports());
    simd = true;
  } catch {
    simd = false;
  }
  return simd;
}

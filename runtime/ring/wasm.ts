import { instantiate, type WasmMemory } from "../kernels/index.ts";
import { chachaBase64, kernelBase64, residuesBase64 } from "./kernels.generated.ts";

/** The exports that targets/wasm emits; all arguments are byte addresses, byte strides and counts. */
interface DigitKernels {
  readonly memory: WasmMemory;
  readonly split32: SplitKernel;
  readonly split64: SplitKernel;
  readonly dot32: DotKernel;
  readonly dot64: DotKernel;
  readonly panel: (from: number, stride: number, to: number, pairs: number) => void;
}

/** Those that multiply residues as they are, in the same memory. */
interface ResidueKernels {
  readonly product32: ProductKernel;
  readonly product64: ProductKernel;
}

export type WasmKernels = DigitKernels & ResidueKernels;

type SplitKernel = (
  from: number,
  to: number,
  eights: number,
  biasLow: number,
  biasHigh: number,
  position: number,
  mask: number,
  half: number,
) => void;

type DotKernel = (
  x: number,
  xStride: number,
  rows: number,
  weights: number,
  pairs: number,
  block: number,
  sums: number,
  sumStride: number,
  shift: number,
) => void;

type ProductKernel = (
  x: number,
  xStride: number,
  rows: number,
  y: number,
  yStride: number,
  columns: number,
  depth: number,
  sums: number,
  sumStride: number,
) => void;

const PAGE = 65536;
const LINE = 64;
let loaded: WasmKernels | undefined;
let loadedChacha: ChachaKernel | undefined;

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** The kernels, compiled at first use. */
export function kernels(): WasmKernels {
  if (loaded) return loaded;
  const kernel = instantiate(bytesOf(kernelBase64)) as DigitKernels;
  const residues = instantiate(bytesOf(residuesBase64), { kernel: { memory: kernel.memory } }) as ResidueKernels;
  // Exports are properties of frozen objects, which a spread copies.
  loaded = { ...kernel, ...residues };
  return loaded;
}

/** A module with a memory of its own, which never grows. */
export interface ChachaKernel {
  readonly memory: WasmMemory;
  /** The key of four words lies at the address; the block's first 12 words follow it. */
  readonly chacha: (at: number) => void;
}

export function chachaKernel(): ChachaKernel {
  loadedChacha ??= instantiate(bytesOf(chachaBase64)) as ChachaKernel;
  return loadedChacha;
}

export interface Scratch {
  /** Byte address of each area, in the requested order. */
  readonly at: readonly number[];
  readonly words: Uint32Array;
  readonly shorts: Int16Array;
}

/**
 * Reserves areas of the kernels' memory, of the given sizes in bytes, with old contents. One call owns all of the
 * memory until it returns: nothing in it outlives a kernel.
 */
export function scratch(sizes: readonly number[]): Scratch {
  const { memory } = kernels();
  let end = 0;
  const at = sizes.map((size) => {
    const start = end;
    end += Math.ceil(size / LINE) * LINE;
    return start;
  });
  if (end > memory.buffer.byteLength) memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
  return { at, words: new Uint32Array(memory.buffer), shorts: new Int16Array(memory.buffer) };
}

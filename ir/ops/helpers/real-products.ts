import { productsBase64 } from "./products.generated.ts";

/** The part of WebAssembly that is used here: the libraries of ES2023 do not declare it. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** targets/wasm/product.ts: addresses and strides in bytes. */
interface Products {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  productReal(
    x: number,
    xStride: number,
    rows: number,
    y: number,
    yStride: number,
    columns: number,
    depth: number,
    sums: number,
    sumStride: number,
  ): void;
}

// Blocks of x and y that stay in the second level of the cache, and of y's columns in the first.
const blockRows = 128;
const blockColumns = 256;
const blockDepth = 256;
/** Columns of a tile. */
const tile = 4;
/** Elements behind each row, so that rows do not share one set of the cache. */
const skew = 8;
const bytes = 8;
const strideOfX = blockDepth + skew;
const strideOfY = blockColumns + skew;
const addresses = { y: blockRows * strideOfX, sums: blockRows * strideOfX + blockDepth * strideOfY };
const room = (addresses.sums + blockRows * strideOfY) * bytes;
const page = 65_536;

let loaded: { readonly run: Products["productReal"]; readonly memory: Float64Array } | undefined;

function load(): { readonly run: Products["productReal"]; readonly memory: Float64Array } {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  const binary = Uint8Array.from(atob(productsBase64), (character) => character.charCodeAt(0));
  const { memory, productReal } = new Instance(new Module(binary)).exports as Products;
  memory.grow(Math.ceil(room / page));
  return { run: productReal, memory: new Float64Array(memory.buffer) };
}

/**
 * c += a · b in float64, in the order of the depth: a [rows, depth], b [depth, columns], c [rows, columns], each row
 * after row. In blocks that WebAssembly multiplies with vectors.
 */
export function multiplyReals(
  c: Float64Array,
  a: Float64Array,
  b: Float64Array,
  { rows, depth, columns }: { readonly rows: number; readonly depth: number; readonly columns: number },
): void {
  loaded ??= load();
  const { run, memory } = loaded;
  /** Rows of a matrix to their block, or back. */
  const copy = (
    from: Float64Array,
    at: number,
    step: number,
    count: number,
    to: Float64Array,
    start: number,
    stride: number,
    lines: number,
  ): void => {
    for (let line = 0; line < lines; line++) {
      const first = at + line * step;
      to.set(from.subarray(first, first + count), start + line * stride);
    }
  };
  for (let column = 0; column < columns; column += blockColumns) {
    const wide = Math.min(blockColumns, columns - column);
    const tiled = Math.ceil(wide / tile) * tile;
    for (let k = 0; k < depth; k += blockDepth) {
      const deep = Math.min(blockDepth, depth - k);
      copy(b, k * columns + column, columns, wide, memory, addresses.y, strideOfY, deep);
      for (let row = 0; row < rows; row += blockRows) {
        const high = Math.min(blockRows, rows - row);
        copy(a, row * depth + k, depth, deep, memory, 0, strideOfX, high);
        copy(c, row * columns + column, columns, wide, memory, addresses.sums, strideOfY, high);
        run(
          0,
          strideOfX * bytes,
          high,
          addresses.y * bytes,
          strideOfY * bytes,
          tiled,
          deep,
          addresses.sums * bytes,
          strideOfY * bytes,
        );
        copy(memory, addresses.sums, strideOfY, wide, c, row * columns + column, columns, high);
      }
    }
  }
}

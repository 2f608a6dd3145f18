import { advance, countdown, locals, registerNames, unroll } from "./wat.ts";

/** Integers mod 2^32 or 2^64, and real numbers in float64. */
type ElementName = "32" | "64" | "Real";

/** How a tile multiplies: one `vector` holds neighboring columns of y, and one element of x multiplies all of them. */
interface Arithmetic {
  /** Bytes of an element. */
  readonly element: 4 | 8;
  readonly type: "i64" | "v128";
  readonly bytes: number;
  readonly load: string;
  readonly store: string;
  readonly loadElement: string;
  readonly mul: string;
  readonly add: string;
  /** Rows, and vectors of columns, of a tile. */
  readonly rows: number;
  readonly vectors: number;
}

const arithmetics: Readonly<Record<ElementName, Arithmetic>> = {
  32: {
    element: 4,
    type: "v128",
    bytes: 16,
    load: "v128.load",
    store: "v128.store",
    loadElement: "v128.load32_splat",
    mul: "i32x4.mul",
    add: "i32x4.add",
    rows: 4,
    vectors: 2,
  },
  // Scalars: SSE has no 64-bit multiplication, so i64x2.mul is a dozen instructions and no faster.
  64: {
    element: 8,
    type: "i64",
    bytes: 8,
    load: "i64.load",
    store: "i64.store",
    loadElement: "i64.load",
    mul: "i64.mul",
    add: "i64.add",
    rows: 2,
    vectors: 2,
  },
  Real: {
    element: 8,
    type: "v128",
    bytes: 16,
    load: "v128.load",
    store: "v128.store",
    loadElement: "v128.load64_splat",
    mul: "f64x2.mul",
    add: "f64x2.add",
    rows: 4,
    vectors: 2,
  },
};

/**
 * product64/product32/productReal(x, xStride, rows, y, yStride, columns, depth, sums, sumStride): sums += x · y, mod 2^64
 * or 2^32 or rounded to float64 after each step, in the order of the depth. Columns are a multiple of the tile's (2, 8 or
 * 4); strides in bytes.
 */
export function product(name: ElementName): string {
  const { type, rows, vectors, bytes, element } = arithmetics[name];
  const pointers = registerNames("x", rows, 1);
  return `
(func (export "product${name}") (param $x i32) (param $xStride i32) (param $rows i32) (param $y i32) (param $yStride i32)
    (param $columns i32) (param $depth i32) (param $sums i32) (param $sumStride i32)
  ${locals("i32", ["xr", "sr", "yr", "left", "n", ...pointers, ...registerNames("s", rows, 1)])}
  ${locals(type, [...registerNames("a", rows, vectors), ...registerNames("y", 1, vectors), "e"])}
  ${countdown(
    "columns",
    "columns",
    (vectors * bytes) / element,
    `
    (local.set $left (local.get $rows))
    (local.set $xr (local.get $x))
    (local.set $sr (local.get $sums))
    ${rowTiles(name, rows)}
    ${rowTiles(name, 1)}
    ${advance("y", `(i32.const ${vectors * bytes})`)}
    ${advance("sums", `(i32.const ${vectors * bytes})`)}`,
  )})`;
}

function rowTiles(elements: ElementName, rows: number): string {
  const { element, vectors, bytes, load, store, loadElement, mul, add } = arithmetics[elements];
  const cells = registerNames("a", rows, vectors).map((name, k) => ({
    name,
    r: Math.floor(k / vectors),
    c: k % vectors,
  }));
  const label = `tile${rows}`;
  const chain = (name: string, from: string, stride: string) =>
    unroll(rows, (r) =>
      r === 0
        ? `(local.set $${name}0_0 (local.get $${from}))`
        : `(local.set $${name}${r}_0 (i32.add (local.get $${name}${r - 1}_0) (local.get $${stride})))`,
    );
  return countdown(
    label,
    "left",
    rows,
    `
    ${chain("x", "xr", "xStride")}
    ${chain("s", "sr", "sumStride")}
    (local.set $yr (local.get $y))
    (local.set $n (local.get $depth))
    ${cells.map(({ name, r, c }) => `(local.set $${name} (${load} offset=${c * bytes} (local.get $s${r}_0)))`).join("\n")}
    (loop $${label}_k
      ${unroll(vectors, (c) => `(local.set $y0_${c} (${load} offset=${c * bytes} (local.get $yr)))`)}
      ${unroll(
        rows,
        (r) => `
      (local.set $e (${loadElement} (local.get $x${r}_0)))
      ${unroll(vectors, (c) => `(local.set $a${r}_${c} (${add} (local.get $a${r}_${c}) (${mul} (local.get $e) (local.get $y0_${c}))))`)}
      ${advance(`x${r}_0`, `(i32.const ${element})`)}`,
      )}
      ${advance("yr", "(local.get $yStride)")}
      (br_if $${label}_k (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    ${cells.map(({ name, r, c }) => `(${store} offset=${c * bytes} (local.get $s${r}_0) (local.get $${name}))`).join("\n")}
    ${advance("xr", `(i32.mul (local.get $xStride) (i32.const ${rows}))`)}
    ${advance("sr", `(i32.mul (local.get $sumStride) (i32.const ${rows}))`)}`,
  );
}

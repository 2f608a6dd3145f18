import type { Tensor } from "../../../ir/tensor.ts";
import type { Dtype } from "../../tensors/index.ts";

/** Path segments that exporters call rotary, in a node or an attribute: `model.rotary_emb.inv_freq`. */
const rotaryModule = /(^|[./])rotary\w*[./]/i;
/** Names that ONNX Runtime's tools give to the tables of its operators. */
const cosSinCacheName = /^(cos|sin)_cache/;

/** Names of parts of the model, not of values that an exporter numbers. */
const isRotaryPath = (name: string): boolean => /[./]/.test(name);

/**
 * Whether a tensor holds rotary frequencies, angles, cosines or sines: by its own or its folded names, and by its
 * values. Scaled frequencies (llama3, YaRN, longrope) follow rules of their own from a configuration, so no formula is
 * tested: columns must be waves over the positions, of any frequency and amplitude.
 */
export function isRotaryTable(names: readonly string[], tensor: Tensor, dtype: Dtype = "float32"): boolean {
  const paths = names.filter((name) => isRotaryPath(name) || cosSinCacheName.test(name));
  const isNamed = paths.length > 0 && paths.every((name) => rotaryModule.test(name) || cosSinCacheName.test(name));
  return isNamed && (isFrequencyTable(tensor) || isCosSinTable(tensor, rounding[dtype] ?? 0));
}

/** The error bound of a sum of three rounded values of at most 2. */
const rounding: Readonly<Partial<Record<Dtype, number>>> = { float16: 2 ** -9, bfloat16: 2 ** -6 };

/** Decreasing from at most 1. */
const isFrequencyTable = ({ data }: Tensor): boolean =>
  data.every((x, at) => x > 0 && x <= 1 && (at === 0 || x <= data[at - 1]!));

/** float32 rounds an angle p·f by 6e-8 of it, so errors grow with the position. */
const tolerance = (rows: number): number => 1e-5 * (4 + rows / 2);

/** Largest angle, cosine or sine of one or two positions, to which every wave fits. */
const maxPositions = 2 ** 20;

/**
 * x(p + 1) + x(p − 1) = 2·cos f · x(p) in each column: for cosines and sines, and with f = 0 for the angles themselves.
 */
function isCosSinTable({ shape, data }: Tensor, rounded: number): boolean {
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (shape.length < 2 || data.length !== rows * columns) return false;
  if (rows < 3) return data.every((x) => Math.abs(x) <= maxPositions);
  const allowed = tolerance(rows) + rounded;
  for (let column = 0; column < columns; column++) {
    const x = (row: number): number => data[row * columns + column]!;
    let most = 1;
    for (let row = 2; row < rows - 1; row++) if (Math.abs(x(row)) > Math.abs(x(most))) most = row;
    const around = (row: number): number => x(row - 1) + x(row + 1);
    const factor = x(most) === 0 ? 2 : around(most) / x(most);
    if (Math.abs(factor) > 2 + allowed) return false;
    for (let row = 1; row < rows - 1; row++) {
      if (!(Math.abs(around(row) - factor * x(row)) <= allowed)) return false;
    }
  }
  return true;
}

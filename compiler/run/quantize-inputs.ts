import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { applyFunctions } from "../../ir/elementwise-functions.ts";
import { clampBelow, type Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import { type Excess, type Program, quantizeInput } from "../../runtime/program/index.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/index.ts";
import type { Manifest, PartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";

type ManifestCut = Manifest["cuts"][number];

/** Number of values of each tensor that were moved onto their public bounds. */
export type ClampedValues = Readonly<Record<string, number>>;

export interface QuantizedInputs {
  /** By input of the program. */
  readonly shared: Readonly<Record<string, IntTensor>>;
  readonly clamped: ClampedValues;
}

interface QuantizedCut {
  readonly integers: IntTensor;
  readonly moved: number;
}

/** Quantizes one cut tensor at the scale of its sharing, within its public bounds. */
function quantizeCut(
  cut: ManifestCut,
  found: Tensor,
  declared: Program["inputs"][string],
  clamp: boolean,
  least: IndexFrom,
): QuantizedCut | Diagnostic {
  const clear = applyFunctions(found, cut.functions);
  const real = cut.oneHot === undefined ? clampBelow(clear, cut.least) : oneHot(found, cut.oneHot, least);
  const at = [...(cut.functions ?? []).toReversed().map((name) => `${name} of`), `tensor "${cut.tensor}"`].join(" ");
  const strayed = cut.rows === undefined ? undefined : indexOutOfRange(found, cut.rows, least);
  if (strayed) return { ...strayed, at };
  if ("code" in real) return { ...real, at };
  const { shape } = declared;
  if (!sameShape(real.shape, shape)) {
    const message = `expected a tensor of shape [${shape.join(", ")}], found [${real.shape.join(", ")}]`;
    return { code: "MRL0812", message, at, help: "run `marillc compile` with --dim name=size: it fixes all shapes" };
  }
  if (cut.rows !== undefined) return { integers: intTensor(shape, real.data), moved: 0 };
  const { integers, excess } = quantizeInput(real.data, declared);
  if (excess && !(clamp && Number.isFinite(excess.worst))) return { ...beyondBounds(excess, declared), at };
  return { integers, moved: excess?.count ?? 0 };
}

/**
 * Behind its bounds a value wraps in some ring, and the answer would be noise that looks like an answer. The message has
 * no value: it goes to terminals, logs and reports of problems, and the
 * value is the party's secret.
 */
function beyondBounds({ count, worst }: Excess, { lo, hi, shape }: Program["inputs"][string]): Diagnostic {
  const size = shape.reduce((product, length) => product * length, 1);
  const bounds = `[${shortNumber(lo)}, ${shortNumber(hi)}]`;
  return {
    code: "MRL0813",
    message: `expected values in the public bounds ${bounds}, found ${count} of ${size} values beyond them`,
    because: ["the rings of this build were planned for these bounds, and a value beyond them gives a wrong answer"],
    help: Number.isFinite(worst)
      ? "run `marillc compile` with --calibrate and inputs like this one, or give --clamp to move such values onto the bounds"
      : "check the input, and the layers before this tensor: they must give finite numbers",
  };
}

/** A number as a person reads it: bounds are calibrated, so their last digits say nothing. */
export const shortNumber = (x: number): string => String(Number(x.toPrecision(6)));

/**
 * ONNX counts a negative index from the end. A model may compute one; in an input, -1 is a mistake, and not the last
 * token.
 */
type IndexFrom = "start" | "either end";

/** Reports how many indices name no row. */
function indexOutOfRange(indices: Tensor, depth: number, from: IndexFrom): Diagnostic | undefined {
  const least = from === "start" ? 0 : -depth;
  const count = indices.data.filter((at) => !Number.isInteger(at) || at < least || at >= depth).length;
  if (count === 0) return undefined;
  return {
    code: "MRL0813",
    message: `expected indices from 0 to ${depth - 1}, found ${count} of ${indices.data.length} that name no row`,
  };
}

function oneHot(indices: Tensor, depth: number, from: IndexFrom): Tensor | Diagnostic {
  const wrong = indexOutOfRange(indices, depth, from);
  if (wrong) return wrong;
  const data = new Float64Array(indices.data.length * depth);
  for (const [row, index] of indices.data.entries()) {
    data[row * depth + (index < 0 ? index + depth : index)] = 1;
  }
  return { shape: [...indices.shape, depth], data };
}

/**
 * Quantizes all tensors that the client shares. `clamp`: moves finite values beyond their public bounds onto them, and
 * counts them. `inputs`: the model's, which a tensor may be.
 * @throws DiagnosticError MRL0812 for shapes and MRL0813 for values, all at once
 */
export function quantizeInputs(
  { cuts }: Pick<Manifest, "cuts">,
  program: Program,
  tensors: ReadonlyMap<string, Tensor>,
  clamp = false,
  inputs: ReadonlyMap<string, unknown> = new Map(),
): QuantizedInputs {
  const wrong: Diagnostic[] = [];
  const shared: Record<string, IntTensor> = {};
  const clamped: Record<string, number> = {};
  for (const cut of cuts) {
    const from = inputs.has(cut.tensor) ? "start" : "either end";
    const made = quantizeCut(cut, tensors.get(cut.tensor)!, program.inputs[cut.value]!, clamp, from);
    if ("code" in made) {
      wrong.push(made);
      continue;
    }
    shared[cut.value] = made.integers;
    if (made.moved > 0) clamped[cut.tensor] = Math.max(made.moved, clamped[cut.tensor] ?? 0);
  }
  throwIfAny(wrong);
  return { shared, clamped };
}

/** The real values of revealed integers: x·2^−scale. */
export const dequantizeOutput = ({ shape, data }: IntTensor, scale: number): Tensor => ({
  shape,
  data: data!.map((x) => x * 2 ** -scale),
});

/** The integers of inputs that arrive as shares, where one machine has their values. */
export function quantizeShared(
  { manifest, program }: Pick<PartyBuild, "program"> & { readonly manifest: Pick<Manifest, "sharedInputs"> },
  inputs: ReadonlyMap<string, TypedTensor>,
  clamp = false,
): QuantizedInputs {
  const cuts = (manifest.sharedInputs ?? []).map(({ value, tensor, shape, range }) => ({
    value,
    tensor,
    shape,
    range,
  }));
  return quantizeInputs(
    { cuts },
    program,
    new Map(cuts.map(({ tensor }) => [tensor, inputs.get(tensor)!.tensor])),
    clamp,
  );
}

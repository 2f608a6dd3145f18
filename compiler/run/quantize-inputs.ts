import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { clampBelow, type Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import type { Program } from "../../runtime/program/index.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/index.ts";
import type { Manifest } from "../build/index.ts";

type ManifestCut = Manifest["cuts"][number];

/** Quantizes one cut tensor at the scale of its sharing, and refuses values that the ring cannot hold. */
function quantizeCut(
  cut: ManifestCut,
  found: Tensor,
  { width, scale, shape }: Program["inputs"][string],
): IntTensor | Diagnostic {
  const real = cut.oneHot === undefined ? clampBelow(found, cut.least) : oneHot(found, cut.oneHot);
  const at = `tensor "${cut.tensor}"`;
  const strayed = cut.rows === undefined ? undefined : indexOutOfRange(found, cut.rows);
  if (strayed) return { ...strayed, at };
  if ("code" in real) return { ...real, at };
  if (!sameShape(real.shape, shape)) {
    const message = `expected a tensor of shape [${shape.join(", ")}], found [${real.shape.join(", ")}]`;
    return { code: "MRL0812", message, at, help: "run `marillc compile` with --dim name=size: it fixes all shapes" };
  }
  const limit = 2 ** (width - 1);
  const data = real.data.map((x) => Math.round(x * 2 ** scale) + 0);
  const outside = real.data.find((_, k) => !(data[k]! >= -limit && data[k]! < limit));
  if (outside === undefined) return intTensor(shape, data);
  const holds = `${-limit / 2 ** scale} to ${(limit - 1) / 2 ** scale}`;
  return {
    code: "MRL0813",
    message: `expected values from ${holds} (fx${width}.${scale}), found ${outside}`,
    at,
    help: "run `marillc compile` with --calibrate and inputs like this one: the model was calibrated for smaller ones",
  };
}

/** Reports an index that names no row. */
function indexOutOfRange(indices: Tensor, depth: number): Diagnostic | undefined {
  const index = indices.data.find((at) => !Number.isInteger(at) || at < -depth || at >= depth);
  if (index === undefined) return undefined;
  return { code: "MRL0813", message: `expected indices from 0 to ${depth - 1}, found ${index}` };
}

function oneHot(indices: Tensor, depth: number): Tensor | Diagnostic {
  const wrong = indexOutOfRange(indices, depth);
  if (wrong) return wrong;
  const data = new Float64Array(indices.data.length * depth);
  for (const [row, index] of indices.data.entries()) {
    data[row * depth + (index < 0 ? index + depth : index)] = 1;
  }
  return { shape: [...indices.shape, depth], data };
}

/**
 * Quantizes all tensors that the client shares, by input of the program.
 * @throws DiagnosticError MRL0812 for shapes and MRL0813 for values, all at once
 */
export function quantizeInputs(
  { cuts }: Pick<Manifest, "cuts">,
  program: Program,
  tensors: ReadonlyMap<string, Tensor>,
): Readonly<Record<string, IntTensor>> {
  const wrong: Diagnostic[] = [];
  const inputs: Record<string, IntTensor> = {};
  for (const cut of cuts) {
    const made = quantizeCut(cut, tensors.get(cut.tensor)!, program.inputs[cut.value]!);
    if ("code" in made) wrong.push(made);
    else inputs[cut.value] = made;
  }
  throwIfAny(wrong);
  return inputs;
}

/** The real values of revealed integers: x·2^−scale. */
export const dequantizeOutput = ({ shape, data }: IntTensor, scale: number): Tensor => ({
  shape,
  data: data!.map((x) => x * 2 ** -scale),
});

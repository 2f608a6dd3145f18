import { throwIfAny } from "../../ir/diagnostic.ts";
import type { ValueId } from "../../ir/module.ts";
import { type Calibration, calibrate, checkCalibration, checkFinite } from "../../passes/4-quantize/index.ts";
import type { ClientCut } from "../../passes/pass.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { cutSamples, type Sample } from "./calibration-samples.ts";
import type { SecurePart } from "./split-secure-part.ts";

/**
 * Measures the range of every value of the secure part on calibration samples.
 * Ranges determine public ring widths: they are measured with public weights on public inputs only. Whether the
 * private weights stay within them on the same inputs is checked for the provider alone.
 * @throws DiagnosticError for a value that is not finite, or that exceeds its range with the private weights
 */
export function measureRanges(
  { imported, surrogate }: LoadedModel,
  secure: SecurePart,
  samples: readonly Sample[],
  { calibration: { margin }, target: { precision, preset } }: Pick<ResolvedOptions, "calibration" | "target">,
): Calibration {
  const { client, module } = secure.public;
  const publicModel = { module: imported.module, weights: surrogate.weights };
  const values = cutSamples(publicModel, module, client.cuts, valueOfCut(imported), samples);
  throwIfAny(checkFinite(secure.private, values));
  const expanded = preset !== undefined && Object.keys(preset.rewrites).length > 0;
  const calibration = calibrate(secure.public, values, { margin, precision, expanded });
  throwIfAny(checkCalibration(secure.private, values, calibration));
  return calibration;
}

/** Finds the value of the imported module that is the ONNX tensor of a cut. */
function valueOfCut(imported: ImportedModel): (cut: ClientCut) => ValueId {
  const values = new Map([...imported.sources].map(([id, source]) => [source, id]));
  return (cut) => values.get(cut.source) ?? cut.value;
}

import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Calibration, checkCalibration, observe } from "../../passes/4-quantize/index.ts";
import type { PassState } from "../../passes/pass.ts";

/** Checks a state's own weights against bounds on these inputs. */
export const checkedWith = (
  state: PassState,
  inputs: readonly ReadonlyMap<ValueId, Tensor>[],
  calibration: Calibration,
  room = 1,
): readonly Diagnostic[] => checkCalibration(state, { calibration, measured: observe(state, inputs), room });

import { layerMatcher, layerNames } from "../../ir/layer-patterns.ts";
import { type Module, opsOf } from "../../ir/module.ts";
import type { Observation } from "./calibration-types.ts";

/**
 * An observation without inner values of guarded layers. The secure guard checks values between operators. Scores of
 * attention and sums of norms and softmax stay inside of a protocol, where it cannot see them, so their bounds must
 * follow from those of the operands: interval analysis proves them where nothing is measured.
 */
export function withoutGuardedInner<T extends Observation>(module: Module, observed: T, layers: readonly string[]): T {
  const matchers = layers.map(layerMatcher);
  const isGuarded = new Set(
    opsOf(module).flatMap((op) => (matchers.some((matches) => matches(layerNames(op.result, op))) ? [op.result] : [])),
  );
  return { ...observed, inner: new Map([...observed.inner].filter(([id]) => !isGuarded.has(id))) };
}

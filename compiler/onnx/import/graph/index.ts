export {
  axesFrom,
  graphAttr,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type Lowering,
  type LowerTable,
  listAttr,
  listInput,
  listOf,
  neededInput,
  number,
  plainAttrs,
  refuse,
  textAttr,
  textsAttr,
  wantsOutput,
} from "./context.ts";
export { checkShape, createFoldMeter } from "./fold-limits.ts";
export { constantPrefix, createImportGraph, displayName, type ImportGraph, type Stored } from "./import-graph.ts";
export type { Operand, View } from "./operand.ts";

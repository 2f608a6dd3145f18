export { checkShape, createFoldMeter } from "./fold-limits.ts";
export {
  constantPrefix,
  createImportContext,
  displayName,
  type ImportContext,
  type StoredWeight,
} from "./import-context.ts";
export {
  axesFrom,
  boundedList,
  constantScalar,
  graphAttr,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type Lowering,
  type LowerTable,
  listAttr,
  listInput,
  refuseNode,
  requiredInput,
  stringAttr,
  stringsAttr,
  toAttrs,
  wantsOutput,
} from "./lower-context.ts";
export type { GraphOperand, LayoutView } from "./operand.ts";

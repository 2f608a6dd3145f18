export { displayName } from "./display-name.ts";
export { checkShape, createFoldMeter } from "./fold-limits.ts";
export { createImportContext, type ImportContext } from "./import-context.ts";
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
export { constantPrefix, type StoredWeight } from "./param-store.ts";

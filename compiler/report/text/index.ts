export { writeMetadata } from "./annotate.ts";
export {
  buildJson,
  buildText,
  generationText,
  manifestText,
  omittedOutputsText,
  phasesText,
  placementText,
  wrapText,
} from "./build-summary.ts";
export { costText } from "./cost-text.ts";
export { type CostChange, costDiff, diffText } from "./diff.ts";
export { bytesText, countText, secondsText } from "./format-units.ts";
export { type Blocker, modelMetadata, parseBlocker } from "./model-metadata.ts";
export { optimizationTargetText } from "./optimization-target.ts";
export { type ModelProvenance, modelProvenance, provenanceText, type WeightProvenance } from "./provenance.ts";
export { costLine, outputLines, runText, shareLines, type TokenCost, timeLine, tokenLine } from "./run-text.ts";
export { textTable } from "./text-table.ts";
export { decisionsText, declaredErrorsText, verifiedText } from "./verified-text.ts";

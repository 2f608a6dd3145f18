export { flowReportText, verdictText } from "./audit-text.ts";
export { checkFlow, type FlowReport } from "./check-flow.ts";
export type { Finding } from "./finding.ts";
export { tokenizerConfigFields, tokenizerFields } from "./tokenizer-files.ts";

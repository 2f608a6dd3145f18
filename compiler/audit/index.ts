export { flowReportText, verdictText } from "./audit-text.ts";
export { checkFlow } from "./check-flow.ts";
export type { Finding } from "./finding.ts";
export type { FlowReport } from "./flow-report.ts";
export { tokenizerConfigFields, tokenizerFields } from "./tokenizer-files.ts";

export { flowReportText, verdictText } from "./audit-text.ts";
export { checkFlow } from "./check-flow.ts";

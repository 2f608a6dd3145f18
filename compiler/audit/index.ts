export { checkFlow } from "./check.ts";
export { statementText, verdictText } from "./statement.ts";

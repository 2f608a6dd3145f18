import { formatDiagnostic } from "../../ir/diagnostic.ts";
import { printableData } from "../../ir/printable.ts";
import { checkBuild } from "../api/index.ts";
import { flowReportText, verdictText } from "../audit/index.ts";
import type { CommandResult } from "./command.ts";

/** Audits who learns what in a build, or in one party's folder. */
export function checkFlow(build: string): CommandResult {
  const result = checkBuild({ build });
  const report = { ...result, findings: result.blockers };
  const lines = [
    flowReportText(printableData(report)),
    "",
    ...result.blockers.map(formatDiagnostic),
    verdictText(report),
  ];
  return { json: result, text: `${lines.join("\n")}\n`, exit: result.passed ? 0 : 1 };
}

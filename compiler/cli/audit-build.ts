import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { formatDiagnostic } from "../../ir/diagnostic.ts";
import { checkFlow, flowReportText, verdictText } from "../audit/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { withAdvice } from "./advice.ts";
import type { CommandResult } from "./command.ts";

/** Node's buffers end at 4 GiB. */
const maxBytes = 2 ** 32 - 2;

/** Who learns what in a build, or in one party's folder of it, from its programs alone. */
export function auditBuild(dir: string): CommandResult {
  const report = checkFlow(filesOf(dir));
  const { findings, ...statement } = report;
  const blockers = findings.map(withAdvice);
  const passed = blockers.length === 0;
  const lines = [flowReportText(report), "", ...blockers.map(formatDiagnostic), verdictText(report)];
  return { json: { schema: 1, passed, ...statement, blockers }, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

/** Files by their path in a build; a folder of one party alone stands under the name that its program gives it. */
function filesOf(dir: string): ReadonlyMap<string, Uint8Array> {
  const paths = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
  // What lies deeper is named as no part of a build; its contents do not matter.
  const isShallow = (path: string): boolean => path.split("/").length <= 2;
  const files = new Map(
    paths.map((path) => [path, isShallow(path) ? readWholeFile(join(dir, path), maxBytes) : new Uint8Array(0)]),
  );
  const program = files.get("program.js") ?? files.get("program.ts");
  const whose =
    program && /^\/\/ (client|server|dealer) program/.exec(new TextDecoder().decode(program.subarray(0, 40)));
  return whose ? new Map([...files].map(([path, bytes]) => [`${whose[1]}/${path}`, bytes])) : files;
}

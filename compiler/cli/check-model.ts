import { check } from "../api/index.ts";
import { omittedOutputsText, textTable } from "../report/text/index.ts";
import { blockerLines } from "./blockers.ts";
import type { CommandResult, Invocation } from "./command.ts";
import { linkedOptionsOf } from "./model-options.ts";

export async function checkModel(path: string, { options, warn }: Invocation): Promise<CommandResult> {
  const annotate = options.text("annotate");
  const result = await check({
    ...linkedOptionsOf(path, options),
    ...(annotate !== undefined && { annotate }),
    onWarning: warn,
  });
  const { passed, operators, blockers, notComputed } = result;
  const columns = [{ title: "operator" }, { title: "nodes", right: true }, { title: "" }] as const;
  const rows = operators.map(({ operator, count, supported }) => [operator, count, supported ? "" : "not supported"]);
  const lines = [
    textTable(columns, rows),
    ...(passed ? [] : blockerLines(blockers)),
    ...[omittedOutputsText(notComputed).trimEnd()].filter((line) => line !== ""),
    ...(passed ? ["PASSED"] : []),
  ];
  return { json: result, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

import { check } from "../api/index.ts";
import { omittedOutputsText, textTable } from "../report/text/index.ts";
import { blockerLines } from "./blockers.ts";
import type { CommandResult, Invocation } from "./command.ts";
import { linkedOptionsOf } from "./model-options.ts";

const importOnly =
  "only the import was tried: compile also takes who owns the weights (--adapter, --base or --private), --reveal, and public inputs for the ranges that nothing proves (--calibrate); check takes the same options, and then tries all";

export async function checkModel(path: string, { options, warn }: Invocation): Promise<CommandResult> {
  const annotate = options.text("annotate");
  const result = await check({
    ...linkedOptionsOf(path, options),
    ...(annotate !== undefined && { annotate }),
    onWarning: warn,
  });
  const { passed, operators, blockers, notComputed, tried } = result;
  const columns = [{ title: "operator" }, { title: "nodes", right: true }, { title: "" }] as const;
  const rows = operators.map(({ operator, count, supported }) => [operator, count, supported ? "" : "not supported"]);
  const lines = [
    textTable(columns, rows),
    ...(passed ? [] : blockerLines(blockers)),
    ...[omittedOutputsText(notComputed).trimEnd()].filter((line) => line !== ""),
    ...(passed && tried === "import" ? [importOnly] : []),
    ...(passed ? ["PASSED"] : []),
  ];
  return { json: result, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

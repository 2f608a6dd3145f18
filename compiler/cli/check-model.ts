import { checkGuarded, given } from "../api/index.ts";
import { omittedOutputsText, textTable } from "../report/text/index.ts";
import { blockerLines } from "./blockers.ts";
import type { CommandResult, Invocation } from "./command.ts";
import { linkedOptionsOf } from "./model-options.ts";

const importOnly =
  "checked: the import alone. Give the options of compile, as --adapter, --base or --private and --reveal, for the rest";

export async function checkModel(path: string, { options, warn, io }: Invocation): Promise<CommandResult> {
  const annotate = options.text("annotate");
  const result = await checkGuarded(
    { ...linkedOptionsOf(path, options), ...given({ annotate, verify: options.toggle("verify") }), onWarning: warn },
    io.beforeSignal,
  );
  const { passed, operators, blockers, notComputed, scope } = result;
  const columns = [{ title: "operator" }, { title: "nodes", right: true }, { title: "" }] as const;
  const rows = operators.map(({ operator, count, supported }) => [operator, count, supported ? "" : "not supported"]);
  const lines = [
    textTable(columns, rows),
    ...(passed ? [] : blockerLines(blockers)),
    ...[omittedOutputsText(notComputed).trimEnd()].filter((line) => line !== ""),
    ...(passed && scope === "import" ? [importOnly] : []),
    ...(passed ? ["PASSED"] : []),
  ];
  return { json: result, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

import { examine, given } from "../api/index.ts";
import { textTable } from "../report/text/index.ts";
import type { HealthCheck } from "../services/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";

export const doctorCommand: CommandSpec = {
  name: "doctor",
  summary: "check this machine, and the connections to the other parties",
  arguments: [],
  options: [
    { flags: "--server <host:port>", help: "test the connection to the server" },
    { flags: "--dealer <host:port>", help: "test the connection to the dealer" },
    { flags: "--identity <dir>", help: "this party's identity folder: also tests certificates and measures the link" },
    jsonOption,
  ],
  examples: ["marillc doctor"],
  run: doctor,
};

async function doctor({ options }: Invocation): Promise<CommandResult> {
  const asked = { server: options.text("server"), dealer: options.text("dealer"), identity: options.text("identity") };
  const { machine, parties } = await examine(given(asked));
  const findings = [...machine, ...parties];
  const rows = findings.map(({ what, fine, warning, found, help }) => [
    !fine ? "FAILS" : warning ? "warning" : "ok",
    what,
    found,
    help ?? "",
  ]);
  const text = textTable(
    ["", "what", "found", "help"].map((title) => ({ title })),
    rows,
  );
  const failed = (some: readonly HealthCheck[]): boolean => some.some(({ fine }) => !fine);
  return { json: { schema: 1, findings }, text, exit: failed(machine) ? 1 : failed(parties) ? 3 : 0 };
}

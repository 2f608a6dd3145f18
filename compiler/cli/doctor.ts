import color from "picocolors";
import type { Role } from "../../runtime/core/index.ts";
import { readIdentity } from "../keys/index.ts";
import { textTable } from "../report/text/index.ts";
import { examineMachine, examineParty, type HealthCheck } from "../services/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { readAddress } from "./option-values.ts";

export const doctorCommand: CommandSpec = {
  name: "doctor",
  summary: "what works on this machine, and which hop to the other parties fails",
  arguments: [],
  options: [
    { flags: "--server <host:port>", help: "try the way to the server" },
    { flags: "--dealer <host:port>", help: "try the way to the dealer" },
    { flags: "--identity <dir>", help: "this party's folder: tries certificates and measures the link too" },
    jsonOption,
  ],
  examples: ["marillc doctor"],
  run: doctor,
};

async function doctor(call: Invocation): Promise<CommandResult> {
  const { options } = call;
  const others = (["server", "dealer"] as const).filter((role) => options.text(role) !== undefined);
  const endpoints = others.map((role): [Role, ReturnType<typeof readAddress>] => [role, readAddress(options, role)]);
  const dir = options.text("identity");
  const identity = dir === undefined ? undefined : await readIdentity(dir);
  const machine = await examineMachine();
  const parties: HealthCheck[] = [];
  for (const [role, endpoint] of endpoints) parties.push(...(await examineParty(role, endpoint, identity)));
  const findings = [...machine, ...parties];
  const rows = findings.map(({ what, fine, found, help }) => [
    fine ? color.green("ok") : color.red("FAILS"),
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

import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { readIdentity } from "../keys/index.ts";
import { examineMachine, examineParty, type HealthCheck } from "../services/index.ts";
import { address, checkOptions, text } from "./fields.ts";
import { type Address, endpointOf } from "./values.ts";

export interface DoctorOptions {
  /** Test the connection to the server. */
  readonly server?: Address;
  /** Test the connection to the dealer. */
  readonly dealer?: Address;
  /** This party's identity folder: also tests certificates and measures the link. */
  readonly identity?: string;
}

/** Output of `doctor --json`. */
export interface DoctorResult {
  readonly schema: 1;
  /** First this machine, then each hop to a party, up to the first that fails. */
  readonly findings: readonly HealthCheck[];
}

/**
 * Checks this machine, which ONNX Runtime it uses, and the connections to other parties.
 *
 * @example
 * ```ts
 * const { findings } = await doctor({ server: "server.example:7000", identity: "keys/client" });
 * console.log(findings.filter(({ fine, warning }) => !fine || warning));
 * ```
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorResult> {
  const { machine, parties } = await examine(options);
  return { schema: 1, findings: [...machine, ...parties] };
}

/** The same in two lists: the exit codes of a broken machine and of an unreachable party differ. */
export async function examine(
  options: DoctorOptions,
): Promise<{ readonly machine: readonly HealthCheck[]; readonly parties: readonly HealthCheck[] }> {
  checkOptions<DoctorOptions>("doctor", { server: address, dealer: address, identity: text }, options);
  const others = (["server", "dealer"] as const).filter((role) => options[role] !== undefined);
  const endpoints = others.map((role): [Role, ReturnType<typeof endpointOf>] => [
    role,
    endpointOf(options[role]!, role),
  ]);
  const doubts: HealthCheck[] = [];
  const doubt = ({ code, message, at = "", help = "" }: Diagnostic): void =>
    void doubts.push({ what: `identity ${at}`, fine: true, warning: true, found: `${code} ${message}`, help });
  const identity = options.identity === undefined ? undefined : await readIdentity(options.identity, doubt);
  const machine = [...(await examineMachine()), ...doubts];
  const parties: HealthCheck[] = [];
  for (const [role, endpoint] of endpoints) parties.push(...(await examineParty(role, endpoint, identity)));
  return { machine, parties };
}

import type { Role } from "../../runtime/core/index.ts";
import { readIdentity } from "../keys/index.ts";
import { examineMachine, examineParty, type HealthCheck } from "../services/index.ts";
import { type Address, endpointOf } from "./values.ts";

export interface DoctorOptions {
  /** Try the way to the server. */
  readonly server?: Address;
  /** Try the way to the dealer. */
  readonly dealer?: Address;
  /** This party's folder of keys: tries certificates and measures the link too. */
  readonly identity?: string;
}

/** What `doctor --json` prints. */
export interface DoctorResult {
  readonly schema: 1;
  /** Of this machine first, then of each hop to a party, up to the first that fails. */
  readonly findings: readonly HealthCheck[];
}

/**
 * Says what works on this machine, which ONNX Runtime it uses, and which hop to another party fails.
 *
 * @example
 * ```ts
 * const { findings } = await doctor({ server: "server.example:7000", identity: "keys/client" });
 * console.log(findings.filter(({ fine }) => !fine));
 * ```
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorResult> {
  const { machine, parties } = await examine(options);
  return { schema: 1, findings: [...machine, ...parties] };
}

/** The same, apart: a machine that does not work is another failure than a party out of reach. */
export async function examine(
  options: DoctorOptions,
): Promise<{ readonly machine: readonly HealthCheck[]; readonly parties: readonly HealthCheck[] }> {
  const others = (["server", "dealer"] as const).filter((role) => options[role] !== undefined);
  const endpoints = others.map((role): [Role, ReturnType<typeof endpointOf>] => [
    role,
    endpointOf(options[role]!, role),
  ]);
  const identity = options.identity === undefined ? undefined : await readIdentity(options.identity);
  const machine = await examineMachine();
  const parties: HealthCheck[] = [];
  for (const [role, endpoint] of endpoints) parties.push(...(await examineParty(role, endpoint, identity)));
  return { machine, parties };
}

import type { Manifest } from "./manifest.ts";

const clientRole = "holds the input, computes the public part, receives the outputs revealed to it";
const serverRole = "holds the private weights, receives nothing";
const dealerRole = "hands out correlated randomness, sees neither inputs nor weights";
const helperRole =
  "hands out correlated randomness and computes on shares, which alone say nothing of inputs or weights";

/**
 * The trust assumption of a setting, and what each party does. In both settings one party may be corrupted and follows
 * the protocol (semi-honest). What the third party receives is uniform whatever the inputs and weights are, whether it
 * only deals or also computes on shares.
 */
export function securityStatement(setting: string, dealerComputes: boolean): Pick<Manifest, "security" | "roles"> {
  if (setting === "3pc") {
    return {
      security:
        "semi-honest, honest majority: no two of the three parties collude; the helper learns nothing of inputs, weights and outputs",
      roles: { client: clientRole, server: serverRole, helper: dealerComputes ? helperRole : dealerRole },
    };
  }
  return {
    security: "semi-honest, no two parties collude; the dealer is neither the client nor the owner of the model",
    roles: { client: clientRole, server: serverRole, dealer: dealerRole },
  };
}

import type { Manifest } from "./manifest.ts";

/** What the parties hold and receive beside their programs. */
export interface Holdings {
  /** Readers of the declared outputs. */
  readonly readers: ReadonlySet<string>;
  /** Whether the server shares inputs of its own. */
  readonly serverInputs: boolean;
  /** Whether client and server keep residues of outputs. */
  readonly keepsShares: boolean;
  /** Whether the client learns the bit of a guard. */
  readonly guarded: boolean;
}

const receives = (reader: "client" | "server", { readers, keepsShares }: Holdings): string => {
  const outputs = readers.has(reader) ? "receives the outputs revealed to it" : "receives nothing";
  return keepsShares ? `${outputs}, keeps its residues of the outputs that stay shared` : outputs;
};
const dealerRole = "hands out correlated randomness, sees neither inputs nor weights";
const helperRole =
  "hands out correlated randomness and computes on shares, which alone say nothing of inputs or weights";

/**
 * The trust assumption of a setting, and what each party does. In both settings one party may be corrupted and follows
 * the protocol (semi-honest). What the third party receives is uniform whatever the inputs and weights are, whether it
 * only deals or also computes on shares.
 */
export function securityStatement(
  setting: string,
  dealerComputes: boolean,
  holdings: Holdings,
): Pick<Manifest, "security" | "roles"> {
  const held = holdings.serverInputs ? "the private weights and its own inputs" : "the private weights";
  const bit = holdings.guarded ? ", learns one bit: whether a guarded value left its range" : "";
  const client = `holds the input, computes the public part, ${receives("client", holdings)}${bit}`;
  const server = `holds ${held}, ${receives("server", holdings)}`;
  if (setting === "3pc") {
    return {
      security:
        "semi-honest, honest majority: no two of the three parties collude; the helper learns nothing of inputs, weights and outputs",
      roles: { client, server, helper: dealerComputes ? helperRole : dealerRole },
    };
  }
  return {
    security: "semi-honest, no two parties collude; the dealer is neither the client nor the owner of the model",
    roles: { client, server, dealer: dealerRole },
  };
}

import { cryptenCases } from "./leak-cases-crypten.ts";
import { maskedValueCases } from "./leak-cases-masked-values.ts";
import { nonlinearCases } from "./leak-cases-nonlinear.ts";
import { orderingCases } from "./leak-cases-ordering.ts";
import { replicatedCases } from "./leak-cases-replicated.ts";
import { sigmaCases } from "./leak-cases-sigma.ts";
import { type TestedCase, tested, withSamples } from "./leak-table.ts";

/**
 * Every row of the leak tests, by subject: each has a test file leaks-<subject>.test.ts, so that they run side by side.
 */
export const leakSubjects = {
  "masked-values": maskedValueCases,
  nonlinear: nonlinearCases,
  ordering: withSamples(
    3000,
    orderingCases.map(({ protocol, secrets, shapes, breaks }) => tested(protocol, secrets, shapes, breaks)),
  ),
  crypten: cryptenCases,
  replicated: replicatedCases,
  sigma: sigmaCases,
} as const satisfies Record<string, readonly TestedCase[]>;

export const leakCases: readonly TestedCase[] = Object.values(leakSubjects).flat();

import { cryptenCases } from "./leak-cases-crypten.ts";
import { nonlinearCases } from "./leak-cases-nonlinear.ts";
import { replicatedCases } from "./leak-cases-replicated.ts";
import { sigmaCases } from "./leak-cases-sigma.ts";
import { wireCases } from "./leak-cases-wires.ts";
import { type TestedCase, tested, withSamples } from "./leak-table.ts";
import { orderingCases } from "./ordering-cases.ts";

/** Every row of the leak tests, by subject. A protocol adds one entry to the file of its subject. */
export const leakCases: readonly TestedCase[] = [
  ...wireCases,
  ...nonlinearCases,
  ...withSamples(
    3000,
    orderingCases.map(({ protocol, secrets, shapes, breaks }) => tested(protocol, secrets, shapes, breaks)),
  ),
  ...cryptenCases,
  ...replicatedCases,
  ...sigmaCases,
];

import type { FlowReport } from "./check-flow.ts";
import { roles } from "./finding.ts";

const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
/** What a value was computed from, by whose secrets it depends on. */
const secretsOf = ({ sharedByServer, taken }: FlowReport) => ({
  client: taken.length > 0 ? "the client's input, what arrived in shares" : "the client's input",
  server: sharedByServer.length > 0 ? "the server's inputs and weights" : "the server's weights",
});
const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Who learns what, as text; the caller prints the findings as diagnostics. */
export function flowReportText(report: FlowReport): string {
  const { name, setting, security, parties, shared, sharedByServer, taken, kept, opened, published } = report;
  const { outputs, unread } = report;
  const { weights, protocols, calls } = report;
  const of = parties.length === 3 ? "client, server and dealer agree" : `the ${parties.join("'s and the ")}'s alone`;
  const whole = Object.entries(protocols).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["programs", [`${count(calls, "call")}; ${of}`]],
    ["the client shares", shared.map(({ tensor, shape }) => `${tensor} ${shapeText(shape)}`)],
    ["the server shares", sharedByServer.map(({ tensor, shape }) => `${tensor} ${shapeText(shape)}`)],
    [
      "arrives shared",
      taken.map(({ tensor, shape }) => `${tensor} ${shapeText(shape)}: client and server each hold a residue`),
    ],
    ["private", [`${count(weights.server.length, "weight")}, known to the server alone`]],
    ["public", [`${count(weights.public.length, "weight")}, known to client and server`]],
    [
      "opened",
      opened.map(({ value, tensor, shape, to, from }) => {
        const causes = from.map((owner) => secretsOf(report)[owner]).join(" and ");
        // The manifest's name, and the programs' name.
        const name = tensor === value ? value : `${tensor} (${value})`;
        return `${name} ${shapeText(shape)} to the ${to}${causes && `: computed from ${causes}`}`;
      }),
    ],
    [
      "stays shared",
      kept.map(({ tensor, shape, from }) => {
        const causes = from.map((owner) => secretsOf(report)[owner]).join(" and ");
        const held = "client and server each hold a residue; nobody reads it";
        return `${tensor} ${shapeText(shape)}: ${held}${causes && `; computed from ${causes}`}`;
      }),
    ],
    [
      "rounded by shares",
      opened.flatMap(({ tensor, carries }) =>
        carries
          ? [`${tensor}, by ${carries.join(", ")}: whoever repeats a question sees bits that rounding drops`]
          : [],
      ),
    ],
    ["published", published ? [publishedText(published)] : []],
    ["in the clear", outputs.map((output) => `${output}, by the client from what it knows then`)],
    ["not checked", notChecked(report)],
    ["not read", unread],
    ["rests on", [whole.map(([protocol, n]) => `${protocol} ${n}×`).join(", ")]],
  ];
  const width = Math.max(...rows.map(([title]) => title.length)) + 2;
  const lines = rows.flatMap(([title, items]) =>
    items.map((item, k) => `${(k === 0 ? title : "").padEnd(width)}${item}`),
  );
  return [`${name}: ${setting}; ${security}`, ...lines].join("\n");
}

/** What the folder of one party cannot tell. */
function notChecked({ parties }: FlowReport): readonly string[] {
  const others = roles.filter((role) => !parties.includes(role));
  if (others.length === 0 || parties.length === 0) return [];
  return [
    `the programs of the ${others.join(" and the ")}: a session starts only if their program.mir is this one`,
    ...(parties.includes("server") ? [] : ["which private numbers the server uses"]),
    ...(parties.includes("client") ? [] : ["which files the client has"]),
  ];
}

/** Bounds shown; the manifest has all. */
const maxShown = 4;

function publishedText({ integers, bits, bounds }: NonNullable<FlowReport["published"]>): string {
  const shown = bounds.slice(0, maxShown).map(({ value, bound, exponent }) => `${bound} of ${value} 2^${exponent}`);
  const more = bounds.length > maxShown ? ", …" : "";
  return `${count(integers, "integer")}, ${count(bits, "bit")} of the private weights, as exponents of bounds: ${shown.join(", ")}${more}`;
}

/** The last line of a check. */
export const verdictText = ({ findings }: FlowReport): string =>
  findings.length === 0
    ? "PASSED: nothing is opened but the declared outputs, to their readers"
    : `FAILED: ${count(findings.length, "finding")}`;

import { roles } from "./finding.ts";
import type { FlowReport } from "./flow-report.ts";
import { securityTexts } from "./security-texts.ts";

/** A name of the manifest, which can be any text: it ends at its quote. */
const quote = (name: string): string => `"${name.replaceAll('"', "\\u0022")}"`;
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
  const { outputs, unread, notUsed } = report;
  const { weights, protocols, calls, programs, preset, guarded = [] } = report;
  const of = parties.length === 3 ? "client, server and dealer agree" : `the ${parties.join("'s and the ")}'s alone`;
  const whole = Object.entries(protocols).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const rows: readonly (readonly [string, readonly string[]])[] = [
    [
      "preset",
      preset === undefined ? [] : [`${quote(preset)}: numerics of another system, to be compared, not to serve`],
    ],
    [
      "rounded by shares",
      opened.flatMap(({ tensor, carries }) =>
        carries
          ? [`${quote(tensor)}, by ${carries.join(", ")}: whoever repeats a question sees bits that rounding drops`]
          : [],
      ),
    ],
    ["programs", [`${count(calls, "call")}${programs > 1 ? ` in ${programs} programs` : ""}; ${of}`]],
    ["the client shares", shared.map(({ tensor, shape }) => `${quote(tensor)} ${shapeText(shape)}`)],
    ["the server shares", sharedByServer.map(({ tensor, shape }) => `${quote(tensor)} ${shapeText(shape)}`)],
    [
      "arrives shared",
      taken.map(({ tensor, shape }) => `${quote(tensor)} ${shapeText(shape)}: client and server each hold a residue`),
    ],
    ["private", [`${count(weights.server.length, "weight")}, known to the server alone`]],
    [
      "not used",
      notUsed.length > 0 ? [`${count(notUsed.length, "private weight")}, in no program: ${listText(notUsed)}`] : [],
    ],
    ["public", [`${count(weights.public.length, "weight")}, known to client and server`]],
    [
      "opened",
      opened.map(({ value, tensor, shape, to, from }) => {
        const causes = from.map((owner) => secretsOf(report)[owner]).join(" and ");
        // The manifest's name, and the programs' name.
        const name = tensor === value ? "" : ` (${value})`;
        return `${quote(tensor)}${name} ${shapeText(shape)} to the ${to}${causes && `: computed from ${causes}`}`;
      }),
    ],
    ["the guard tells", guarded.length > 0 ? [guardText(guarded)] : []],
    [
      "stays shared",
      kept.map(({ tensor, shape, from }) => {
        const causes = from.map((owner) => secretsOf(report)[owner]).join(" and ");
        const held = "client and server each hold a residue; nobody reads it";
        return `${quote(tensor)} ${shapeText(shape)}: ${held}${causes && `; computed from ${causes}`}`;
      }),
    ],
    ["published", published ? [publishedText(published)] : []],
    ["in the clear", outputs.map((output) => `${quote(output)}, by the client from what it knows then`)],
    ["not checked", notChecked(report)],
    ["the builder says", report.claims.map(quote)],
    ["not read", unread],
    ["rests on", [whole.map(([protocol, n]) => `${protocol} ${n}×`).join(", ")]],
  ];
  const width = Math.max(...rows.map(([title]) => title.length)) + 2;
  const lines = rows.flatMap(([title, items]) =>
    items.map((item, k) => `${(k === 0 ? title : "").padEnd(width)}${item}`),
  );
  const claim = security === securityTexts.get(setting) ? security : `the manifest says ${quote(security)}`;
  return [`${quote(name)}: ${setting}; ${claim}`, ...lines].join("\n");
}

const listText = (names: readonly string[]): string =>
  `${names.slice(0, maxShown).map(quote).join(", ")}${names.length > maxShown ? ", …" : ""}`;

/** What rests on the builder's word, and what the folder of one party cannot tell. */
function notChecked({ parties, guarded, constants, weights: { unlisted } }: FlowReport): readonly string[] {
  const numbers = constants.reduce((sum, each) => sum + each.numbers, 0);
  const word = [
    ...(unlisted.length > 0
      ? [
          `that no private weight is in ${count(unlisted.length, "public tensor")} that the manifest does not list: ${listText(unlisted)}`,
        ]
      : []),
    ...(constants.length > 0
      ? [
          `that no private weight is in ${count(constants.length, "constant")} of the client's graphs, of ${count(numbers, "number")}: ${listText(constants.map(({ name }) => name))}`,
        ]
      : []),
    ...(guarded ? ["that the bounds of the guard are those that calibration found"] : []),
  ];
  const others = roles.filter((role) => !parties.includes(role));
  if (others.length === 0 || parties.length === 0) return word;
  return [
    ...word,
    `the programs of the ${others.join(" and the ")}: a session starts only if their program.mir is this one`,
    ...(parties.includes("server") ? [] : ["which private numbers the server uses"]),
    ...(parties.includes("client") ? [] : ["which files the client has"]),
  ];
}

function guardText(guarded: NonNullable<FlowReport["guarded"]>): string {
  const shown = guarded.slice(0, maxShown).map(({ value, lo, hi }) => `${value} leaves [${lo}, ${hi}]`);
  const more = guarded.length > maxShown ? `, or one of ${guarded.length - maxShown} more (program.mir)` : "";
  return `whether ${shown.join(" or ")}${more}`;
}

/** Bounds shown; the manifest has all. */
const maxShown = 4;

function publishedText({ integers, bits, bounds }: NonNullable<FlowReport["published"]>): string {
  const shown = bounds
    .slice(0, maxShown)
    .map(({ value, bound, exponent }) => `${bound} of ${quote(value)} 2^${exponent}`);
  const more = bounds.length > maxShown ? ", …" : "";
  return `${count(integers, "integer")}, ${count(bits, "bit")} of the private weights, as exponents of bounds: ${shown.join(", ")}${more}`;
}

/** The last line of a check. A build with another system's numerics passes as that system, and not as one of ours. */
export function verdictText({ findings, preset }: FlowReport): string {
  if (findings.length > 0) return `FAILED: ${count(findings.length, "finding")}`;
  const opens = "nothing is opened but the declared outputs, to their readers";
  return preset === undefined
    ? `PASSED: ${opens}`
    : `PASSED as a measurement of ${quote(preset)}, not to serve: ${opens}, rounded as that system rounds`;
}

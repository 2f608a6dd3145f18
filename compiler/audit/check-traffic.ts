import type { Finding, Role } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/** Rounds, and bytes by what the text says of them. */
export interface Figures {
  readonly rounds: number;
  readonly bytes: ReadonlyMap<string, number>;
}

type Phase = "offline" | "online";

/** What a comment of a role says of each link, in the order in which it says it. */
const verbs: Readonly<Record<Role, readonly (readonly [verb: string, phase: Phase, link: string])[]>> = {
  client: [
    ["sends", "online", "client→server"],
    ["receives", "online", "server→client"],
    ["sends the dealer", "online", "client→dealer"],
    ["receives from the dealer", "online", "dealer→client"],
    ["the dealer delivers", "offline", "dealer→client"],
  ],
  server: [
    ["sends", "online", "server→client"],
    ["receives", "online", "client→server"],
    ["sends the dealer", "online", "server→dealer"],
    ["receives from the dealer", "online", "dealer→server"],
    ["the dealer delivers", "offline", "dealer→server"],
  ],
  dealer: [
    ["sends the client", "online", "dealer→client"],
    ["sends the server", "online", "dealer→server"],
    ["receives from the client", "online", "client→dealer"],
    ["receives from the server", "online", "server→dealer"],
    ["deals the server", "offline", "dealer→server"],
    ["deals the client", "offline", "dealer→client"],
  ],
};

const bytesText = (count: number): string => `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} B`;
const roundsText = (rounds: number): string => `${rounds} round${rounds === 1 ? "" : "s"}`;
const entry = /(?:^|, )(?:(\d+) rounds?|([a-z ]+) ([\d,]+) B)/g;

/** The one text of these figures, as far as it has any. */
const figuresText = ({ rounds, bytes }: Figures, role: Role): string =>
  [
    ...(rounds > 0 ? [roundsText(rounds)] : []),
    ...verbs[role].flatMap(([verb]) => ((bytes.get(verb) ?? 0) > 0 ? [`${verb} ${bytesText(bytes.get(verb)!)}`] : [])),
  ].join(", ");

/** Figures of a comment: undefined for a text that says them in another way than the one that they have. */
export function readFigures(text: string, role: Role): Figures | undefined {
  const found = [...text.matchAll(entry)];
  const rounds = Number(found.find(([, each]) => each !== undefined)?.[1] ?? 0);
  const bytes = new Map(
    found.flatMap(([, , verb, count]) => (verb === undefined ? [] : [[verb, Number(count!.replaceAll(",", ""))]])),
  );
  const figures = { rounds, bytes };
  return figuresText(figures, role) === text ? figures : undefined;
}

/** What the comments of a program's head and of its steps say of its traffic. */
export interface SaidTraffic {
  readonly head: Figures;
  readonly steps: readonly Figures[];
}

/** Figures in comments are those of the manifest, and those of the steps add up to them. */
export function checkTraffic(
  { role }: ParsedProgramText,
  { head, steps }: SaidTraffic,
  { predicted }: Pick<ParsedManifest, "predicted">,
  file: string,
): readonly Finding[] {
  const sum = (of: (figures: Figures) => number): number => steps.reduce((total, each) => total + of(each), 0);
  // Three parties have a helper where two have a dealer.
  const promised = (phase: Phase, link: string): number | undefined => {
    const bytes = predicted?.[phase].bytes;
    return bytes?.[link] ?? bytes?.[link.replace("dealer", "helper")];
  };
  const rows = [
    { what: "rounds", said: head.rounds, added: sum(({ rounds }) => rounds), wanted: predicted?.online.rounds },
    ...verbs[role].map(([verb, phase, link]) => ({
      what: `bytes of "${verb}"`,
      said: head.bytes.get(verb) ?? 0,
      added: sum(({ bytes }) => bytes.get(verb) ?? 0),
      wanted: promised(phase, link),
    })),
  ];
  return rows.flatMap(({ what, said, added, wanted }) => [
    ...(added === said
      ? []
      : [{ code: "MRL0901", message: `its head says ${said} ${what}, its steps ${added} together`, at: file }]),
    ...(predicted && wanted !== said
      ? [{ code: "MRL0910", message: `its head says ${said} ${what}; the manifest says ${wanted ?? 0}`, at: file }]
      : []),
  ]);
}

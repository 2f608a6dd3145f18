import {
  type QualityCard,
  type QualityRow,
  type QualityTask,
  rowKey,
  type SecureResult,
  type SecureResults,
} from "./quality-rows.ts";

/** Most percentage points of accuracy that the secure path may lose. */
const maxLoss = 0.5;
/** Percent of the teacher's accuracy that the student must keep. */
const requiredAccuracy = 95;

const taskTitles: Readonly<Record<QualityTask, string>> = {
  date: "Generation: a date in free notation to ISO 8601",
  review: "Classification: a rating of 0 to 4",
};
const tasks = Object.keys(taskTitles) as readonly QualityTask[];

/** The tables of docs/quality.md and what they say about the requirements, as Markdown. */
export const qualityText = (card: QualityCard, results: SecureResults): string =>
  [...tasks.map((task) => taskTable(card, task, results)), `### What was asked\n\n${verdicts(card, results)}`].join(
    "\n\n",
  );

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
const percentCorrect = (wrong: number, questions: number): string =>
  ((100 * (questions - wrong)) / questions).toFixed(1);
const markdownRow = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

/** Of the questions that the secure path was asked, those that plaintext answers wrongly. */
const wrongInPlaintext = ({ wrong }: QualityRow, { questions }: SecureResult): readonly number[] =>
  wrong.filter((k) => k < questions);

const titles = (heldOut: number): readonly string[] => [
  "row",
  `right of ${heldOut}, %`,
  "of the teacher, %",
  "questions",
  "right in plaintext, %",
  "secure, %",
  "rounds",
  "online MB",
  "offline MB",
  "offline s",
  "online s",
  "wan, links alone, s",
];

function rowCells(row: QualityRow, teacher: QualityRow, found: SecureResult | undefined): readonly (string | number)[] {
  const kept = ((100 * row.accuracy) / teacher.accuracy).toFixed(1);
  const plain = [row.row, row.accuracy.toFixed(1), kept];
  if (!found) return [...plain, ...Array<string>(9).fill("")];
  return [
    ...plain,
    found.questions,
    percentCorrect(wrongInPlaintext(row, found).length, found.questions),
    percentCorrect(found.wrong.length, found.questions),
    found.rounds,
    megabytes(found.bytes.online),
    megabytes(found.bytes.offline),
    found.seconds.offline.toFixed(2),
    found.seconds.online.toFixed(2),
    found.wan.toFixed(1),
  ];
}

function taskTable(card: QualityCard, task: QualityTask, results: SecureResults): string {
  const rows = card.rows.filter((row) => row.task === task);
  const teacher = rows.find(({ row }) => row === "full")!;
  const head = titles(card.heldOut);
  const rule = head.map((_, k) => (k === 0 ? "---" : "---:"));
  const cells = rows.map((row) => rowCells(row, teacher, results[rowKey(row)]));
  return [`### ${taskTitles[task]}`, "", ...[head, rule, ...cells].map(markdownRow)].join("\n");
}

const verdict = (holds: boolean): string => (holds ? "holds" : "does not hold");
const without = (some: readonly number[], others: readonly number[]): number =>
  some.filter((k) => !others.includes(k)).length;

/**
 * Whether one row beats another on the same questions, by McNemar's test: it counts the questions that only one of them
 * answers correctly. The difference must be more than twice its standard error, √(their number).
 */
function compareRows(better: QualityRow, worse: QualityRow): string {
  const [won, lost] = [without(worse.wrong, better.wrong), without(better.wrong, worse.wrong)];
  if (Math.abs(won - lost) <= 2 * Math.sqrt(won + lost)) return "these questions do not separate them";
  return verdict(won > lost);
}

/** The largest mean of a Poisson distribution that gives `count` or fewer with a probability of 5 % or more. */
function poissonUpperBound(count: number): number {
  const probability = (mean: number): number => {
    let term = Math.exp(-mean);
    let sum = term;
    for (let k = 1; k <= count; k++) {
      term *= mean / k;
      sum += term;
    }
    return sum;
  };
  let [low, high] = [0, 10 * (count + 1)];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (probability(middle) >= 0.05) low = middle;
    else high = middle;
  }
  return low;
}

function verdicts(card: QualityCard, results: SecureResults): string {
  const lines = tasks.flatMap((task) => taskVerdicts(card, task));
  const secure = secureVerdict(card, results);
  return [...lines, ...(secure === undefined ? [] : [secure])].join("\n");
}

function taskVerdicts({ rows }: QualityCard, task: QualityTask): readonly string[] {
  const find = (name: string): QualityRow | undefined => rows.find((each) => each.task === task && each.row === name);
  const kept = (100 * find("lf50-lora8-kd")!.accuracy) / find("full")!.accuracy;
  const student = `- ${task}: half frozen with LoRA of rank 8 keeps ${kept.toFixed(1)} % of the teacher (asked: ${requiredAccuracy}): ${verdict(kept >= requiredAccuracy)}.`;
  const pairs = rows.flatMap((merged) => {
    if (merged.task !== task || merged.merge <= 1) return [];
    const pruned = find(merged.row.replace("hm", "hp").replace(/-(adjacent|root)/, ""));
    if (!pruned) return [];
    const [a, b] = [merged, pruned].map(({ accuracy }) => accuracy.toFixed(1));
    return [`- ${task}: ${merged.row} beats ${pruned.row}, ${a} against ${b} %: ${compareRows(merged, pruned)}.`];
  });
  return [student, ...pairs];
}

/** Undefined where the secure path was asked nothing. */
function secureVerdict({ rows }: QualityCard, results: SecureResults): string | undefined {
  const measured = rows.flatMap((row) => {
    const found = results[rowKey(row)];
    return found ? [{ found, plaintext: wrongInPlaintext(row, found) }] : [];
  });
  const sum = (of: (each: (typeof measured)[number]) => number): number =>
    measured.reduce((total, each) => total + of(each), 0);
  const asked = sum(({ found }) => found.questions);
  if (asked === 0) return undefined;
  const lost = sum(({ found, plaintext }) => without(found.wrong, plaintext));
  const gained = sum(({ found, plaintext }) => without(plaintext, found.wrong));
  // The bound ignores what was gained: no row makes up for another.
  const [points, most] = [(100 * (lost - gained)) / asked, (100 * poissonUpperBound(lost)) / asked];
  const conclusion =
    points > maxLoss ? verdict(false) : most <= maxLoss ? verdict(true) : "too few questions to say more";
  return `- The secure path answers ${asked} questions over ${measured.length} rows: ${lost} wrongly that plaintext answers rightly, ${gained} the other way round. It loses ${points.toFixed(2)} points, and over all rows together at most ${most.toFixed(2)} with 95 % confidence (asked: at most ${maxLoss}): ${conclusion}.`;
}

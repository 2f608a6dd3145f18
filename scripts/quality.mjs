// Compiles each committed row of fixtures/quality and answers held-out questions through the secure path:
//   npm run quality [-- --limit 200] [--rows date-full,review-full] [--results build/quality.json] [--write]
// Needs `npm run build` before. Prints the tables of docs/quality.md; --write puts them there. Rows that
// --results has, for as many questions and at the same cost, are not run again.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { isEqual, pick } from "lodash-es";
import { writeBuild } from "../dist/compiler/build/write-build.js";
import { compileModel } from "../dist/compiler/compile/compile.js";
import { readTokenizer } from "../dist/compiler/inputs/tokenizer.js";
import { networkTime } from "../dist/compiler/report/cost/network-time.js";
import { openLocal } from "../dist/compiler/run/local-session.js";
import { links } from "../dist/runtime/transport/link-profile.js";

const root = new URL("..", import.meta.url).pathname;
const fixture = join(root, "fixtures/quality");
const page = join(root, "docs/quality.md");
const window = 32;
/** Most points that the secure path may lose. */
const mostLost = 0.5;
const tasks = { date: "Generation: a date in free notation to ISO 8601", review: "Classification: a rating of 0 to 4" };

const { values: options } = parseArgs({
  options: {
    limit: { type: "string", default: "200" },
    rows: { type: "string" },
    results: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const limit = Number(options.limit);
const chosen = options.rows?.split(",");
const card = JSON.parse(readFileSync(join(fixture, "card.json"), "utf8"));
const tokens = readTokenizer(fixture);
const keyOf = ({ task, row }) => `${task}-${row}`;
const largest = (row) => row.reduce((best, value, k) => (value > row[best] ? k : best), 0);

/** The first held-out questions of a task. */
function questionsOf(task) {
  const lines = readFileSync(join(fixture, `${task}-heldout.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.slice(0, limit).map((line) => JSON.parse(line));
}

/**
 * One forward pass says whether a question is answered rightly. Classification: the most likely class is the right one.
 * Generation: the window holds prompt and right answer, and after every prefix the right next token is the most likely
 * one; greedy decoding then gives this answer, by induction over its tokens, and else it does not.
 */
function posed(task, { prompt, answer }) {
  const start = tokens.encode(prompt).length;
  const ids = task === "date" ? tokens.encode(prompt + answer) : tokens.encode(prompt);
  const data = Float64Array.from({ length: window }, (_, place) => ids[place] ?? tokens.pad);
  const isRight = ({ shape, data: logits }) => {
    if (task === "review") return largest(logits) === Number(answer);
    const next = [...ids.slice(start), tokens.ends[0]];
    const width = shape.at(-1);
    return next.every((token, k) => {
      const place = start - 1 + k;
      return largest(logits.subarray(place * width, (place + 1) * width)) === token;
    });
  };
  return { inputs: new Map([["input_ids", { dtype: "int64", tensor: { shape: [1, window], data } }]]), isRight };
}

/** A row through the secure path: which of the first questions it answers wrongly, and what a query costs; or what is known. */
async function measure({ task, files }, build, known) {
  const file = (name) => join(fixture, name);
  const { manifest, files: parts } = compileModel({
    model: file(files.model),
    ...(files.base && { base: file(files.base) }),
    ...(files.adapter && { adapter: file(files.adapter) }),
    reveal: [{ output: "logits", to: "client" }],
    calibrate: file(`${task}-calibration.jsonl`),
  });
  const sum = (phase) => Object.values(manifest.predicted[phase].bytes).reduce((all, bytes) => all + bytes, 0);
  const cost = {
    rounds: manifest.predicted.online.rounds,
    bytes: { setup: sum("setup"), offline: sum("offline"), online: sum("online") },
    // What the links alone take of a query's online phase.
    wan: networkTime(manifest.predicted, links.wan).communicationSeconds.online,
  };
  // What was asked before at the same cost stands: only the questions behind are asked.
  const same = known && isEqual(cost, pick(known, Object.keys(cost))) ? known : none;
  const questions = questionsOf(task).slice(same.questions);
  if (questions.length === 0) return same;
  writeBuild(build, parts);
  const session = await openLocal({ dir: build });
  const wrong = [...same.wrong];
  for (const [k, question] of questions.entries()) {
    const { inputs, isRight } = posed(task, question);
    const { outputs } = await session.query(inputs);
    if (!isRight(outputs.get("logits").tensor)) wrong.push(same.questions + k);
    process.stderr.write(`\r${files.adapter ?? files.model}: ${k + 1} of ${questions.length} `);
  }
  process.stderr.write("\n");
  // The session itself fails where a byte or round that was sent differs from what was predicted.
  const { seconds, queries } = await session.end();
  // Seconds are those of the questions that were asked now.
  const each = { offline: seconds.offline / queries, online: seconds.online / queries };
  return { questions: same.questions + queries, wrong, ...cost, seconds: each };
}

const none = { questions: 0, wrong: [] };
const megabytes = (bytes) => (bytes / 1e6).toFixed(2);
const percent = (wrong, of) => (100 * (of - wrong)) / of;
const markdown = (cells) => `| ${cells.join(" | ")} |`;

function rowCells(row, teacher, found) {
  const kept = ((100 * row.accuracy) / teacher.accuracy).toFixed(1);
  const plain = [row.row, row.accuracy.toFixed(1), kept];
  if (!found) return [...plain, ...Array(9).fill("")];
  const inPlain = row.wrong.filter((k) => k < found.questions).length;
  return [
    ...plain,
    found.questions,
    percent(inPlain, found.questions).toFixed(1),
    percent(found.wrong.length, found.questions).toFixed(1),
    found.rounds,
    megabytes(found.bytes.online),
    megabytes(found.bytes.offline),
    found.seconds.offline.toFixed(2),
    found.seconds.online.toFixed(2),
    found.wan.toFixed(1),
  ];
}

function taskTable(task, results) {
  const rows = card.rows.filter((row) => row.task === task);
  const teacher = rows.find(({ row }) => row === "full");
  const titles = [
    "row",
    `right of ${card.heldOut}, %`,
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
  const rule = titles.map((_, k) => (k === 0 ? "---" : "---:"));
  const cells = rows.map((row) => rowCells(row, teacher, results[keyOf(row)]));
  return [`### ${tasks[task]}`, "", ...[titles, rule, ...cells].map(markdown)].join("\n");
}

/**
 * Whether one row beats another on the same questions: by those that only one of them answers rightly, whose difference
 * must be twice its standard error, √(their number), as McNemar's test has it.
 */
function compared(better, worse) {
  const only = (one, other) => one.wrong.filter((k) => !other.wrong.includes(k)).length;
  const [won, lost] = [only(worse, better), only(better, worse)];
  if (Math.abs(won - lost) <= 2 * Math.sqrt(won + lost)) return "these questions do not tell them apart";
  return won > lost ? "holds" : "does not hold";
}

/** The largest mean of a Poisson distribution that gives so few with a probability of 5 % or more. */
function mostLikely(count) {
  const chance = (mean) => {
    let term = Math.exp(-mean);
    let sum = term;
    for (let k = 1; k <= count; k++) sum += term *= mean / k;
    return sum;
  };
  let [low, high] = [0, 10 * (count + 1)];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (chance(middle) >= 0.05) low = middle;
    else high = middle;
  }
  return low;
}

/** What was asked of the table, and what it says. */
function verdicts(results) {
  const of = (task, row) => card.rows.find((each) => each.task === task && each.row === row);
  const lines = [];
  for (const task of Object.keys(tasks)) {
    const half = of(task, "lf50-lora8-kd");
    const kept = (100 * half.accuracy) / of(task, "full").accuracy;
    lines.push(
      `- ${task}: half frozen with LoRA of rank 8 keeps ${kept.toFixed(1)} % of the teacher (asked: 95): ${kept >= 95 ? "holds" : "does not hold"}.`,
    );
    for (const merged of card.rows.filter((row) => row.task === task && row.merge > 1)) {
      const pruned = of(task, merged.row.replace("hm", "hp").replace(/-(adjacent|root)/, ""));
      if (!pruned) continue;
      const [a, b] = [merged, pruned].map(({ accuracy }) => accuracy.toFixed(1));
      lines.push(`- ${task}: ${merged.row} beats ${pruned.row}, ${a} against ${b} %: ${compared(merged, pruned)}.`);
    }
  }
  const measured = card.rows.filter((row) => results[keyOf(row)]);
  const [asked, lost, gained] = [0, 0, 0].map((_, what) =>
    measured.reduce((sum, row) => {
      const found = results[keyOf(row)];
      const inPlain = row.wrong.filter((k) => k < found.questions);
      const changed = (some, others) => some.filter((k) => !others.includes(k)).length;
      return sum + [found.questions, changed(found.wrong, inPlain), changed(inPlain, found.wrong)][what];
    }, 0),
  );
  if (asked === 0) return lines.join("\n");
  // The bound leaves out what was gained: no row makes up for another.
  const [points, most] = [lost - gained, mostLikely(lost)].map((count) => (100 * count) / asked);
  const verdict = points > mostLost ? "does not hold" : most <= mostLost ? "holds" : "too few questions to say more";
  lines.push(
    `- The secure path answers ${asked} questions over ${measured.length} rows: ${lost} wrongly that plaintext answers rightly, ${gained} the other way round. It loses ${points.toFixed(2)} points, and over all rows together at most ${most.toFixed(2)} with 95 % confidence (asked: at most ${mostLost}): ${verdict}.`,
  );
  return lines.join("\n");
}

const save = options.results && join(root, options.results);
const results = save && existsSync(save) ? JSON.parse(readFileSync(save, "utf8")) : {};
const work = mkdtempSync(join(tmpdir(), "marillc-quality-"));
try {
  for (const row of card.rows.filter(({ files }) => files)) {
    const key = keyOf(row);
    if (chosen && !chosen.includes(key)) continue;
    results[key] = await measure(row, join(work, key), results[key]);
    if (!save) continue;
    mkdirSync(dirname(save), { recursive: true });
    writeFileSync(save, JSON.stringify(results));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
const text = [
  ...Object.keys(tasks).map((task) => taskTable(task, results)),
  `### What was asked\n\n${verdicts(results)}`,
];
const shown = text.join("\n\n");
console.log(shown);
if (options.write) {
  const [before, after] = readFileSync(page, "utf8").split(/<!-- npm run quality -->[\s\S]*<!-- end -->/);
  writeFileSync(page, `${before}<!-- npm run quality -->\n${shown}\n<!-- end -->${after}`);
}

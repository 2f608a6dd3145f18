import { parseArgs } from "node:util";
import { usualHungSeconds } from "./clients.ts";
import { forget } from "./deployment.ts";
import { openSetup, type Row, type SoakSize, scenarios, shortSize } from "./scenarios.ts";

/**
 * `npm run soak -- --short` is what the suite runs; without it, some minutes; `--long` for hours. Each number has an
 * option of its own: `--only kills --kills 300 --layers 40`.
 */
const usual: SoakSize = {
  sessions: 200,
  dates: 4,
  probes: 20,
  kills: 30,
  layers: 40,
  hungSeconds: usualHungSeconds,
  seconds: 60,
  frames: 20_000,
  frameLayers: 40,
  rows: 100_000,
  mostDelayMs: 1_000,
};
const long: SoakSize = { ...usual, dates: 32, kills: 300, layers: 300, seconds: 600, frames: 1_000_000 };

const { values } = parseArgs({
  options: {
    short: { type: "boolean" },
    long: { type: "boolean" },
    only: { type: "string" },
    ...Object.fromEntries(Object.keys(usual).map((name) => [name, { type: "string" } as const])),
  },
});
const chosen = Object.entries(values).flatMap(([name, value]) => (name in usual ? [[name, Number(value)]] : []));
const size: SoakSize = {
  ...(values.short ? shortSize : values.long ? long : usual),
  ...Object.fromEntries(chosen),
};

const setup = await openSetup(size);
const rows: Row[] = [];
try {
  for (const { name, run, short = run } of scenarios) {
    if (values.only !== undefined && !values.only.split(",").includes(name)) continue;
    const scenario = values.short ? short : run;
    if (scenario) rows.push(await scenario(setup));
    console.error(rows.at(-1));
  }
} finally {
  await setup.at.stop();
  forget(setup.tiny);
  if (process.env.MARILLC_DEBUG === "1")
    console.error([...setup.at.server.log, "--", ...setup.at.dealer.log].join("\n"));
}
console.log(
  "| scenario | asked | right | wrong | failed | measured | |\n| --- | ---: | ---: | ---: | --- | --- | --- |",
);
for (const { what, asked, right, wrong, failed, measured, passed } of rows)
  console.log(
    `| ${what} | ${asked} | ${right} | ${wrong} | ${failed || "none"} | ${measured} | ${passed ? "ok" : "FAILS"} |`,
  );
process.exitCode = rows.every(({ passed }) => passed) ? 0 : 1;

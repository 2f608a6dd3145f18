import benny from "benny";

/** One thing to measure: `run` does `amount` units of work. */
export interface Case {
  readonly name: string;
  readonly amount: number;
  readonly run: () => unknown;
}

/** Measures the cases and prints units of 10^9 per second, from the fastest sample: neighbours only slow it down. */
export async function measure(title: string, unit: string, cases: readonly Case[]): Promise<void> {
  const options = { minSamples: 5, maxTime: 1 };
  const { results } = await benny.suite(
    title,
    ...cases.map(({ name, run }) => benny.add(name, () => void run(), options)),
  );
  console.log(`\n${title}`);
  results.forEach(({ name, details }, k) => {
    const rate = cases[k]!.amount / details.min / 1e9;
    console.log(`  ${name.padEnd(44)} ${rate.toFixed(3).padStart(8)} ${unit}`);
  });
}

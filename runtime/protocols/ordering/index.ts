export { type Buckets, bucketMax, bucketsOf, maxBuckets } from "./bucket-max.ts";
export type { RowIndices } from "./pairwise-comparison.ts";
export { rowMax } from "./row-max.ts";

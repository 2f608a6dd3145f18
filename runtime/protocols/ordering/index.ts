export { type Buckets, bucketMax, bucketsOf, mostBuckets } from "./bucket-max.ts";
export type { Rows } from "./duels.ts";
export { rowMax } from "./row-max.ts";

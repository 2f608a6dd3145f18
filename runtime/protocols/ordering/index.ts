export { type Buckets, bucketMax, bucketsOf, maxBuckets } from "./bucket-max.ts";
export { countingUp, lengthOfRow, longestRow, type RowIndices, rowCount, startsOf } from "./row-indices.ts";
export { rowMax } from "./row-max.ts";

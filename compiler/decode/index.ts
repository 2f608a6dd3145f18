export { type ClientDecodeGraphs, exportClientDecodeGraphs } from "./client-decode-graphs.ts";
export { positionsInput, writtenDtypeOf } from "./export-decode-graph.ts";
export { type ChunkProgram, type DecodeProgram, planDecode } from "./plan-decode.ts";

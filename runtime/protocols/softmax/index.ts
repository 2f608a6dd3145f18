export { keptAxis } from "./cached-attention.ts";
export { reachOf, type ScoreRows, scoreRows, spreadRows } from "./scores.ts";

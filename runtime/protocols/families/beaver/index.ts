export { additiveShareOf, beaverProduct, truncateShare } from "./beaver.ts";

export { beaverProduct, shareOf, truncated } from "./beaver.ts";

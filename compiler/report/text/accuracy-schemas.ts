import { flag, type JsonSchema, list, number, object, text } from "./json-schema.ts";

/** The manifest's `errors`. */
export const declaredErrors: JsonSchema = {
  ...list(object({ tensor: text, declared: number, largest: number }, { published: flag })),
  description:
    "how far each output, revealed or shared, may be from the model in real numbers, from public facts alone; published: from private weights, as an integer of the published list; absent for a preset",
};

/** The manifest's `decisions`. */
export const declaredDecisions: JsonSchema = {
  ...list(
    object(
      {
        value: text,
        operator: text,
        at: text,
        distance: number,
        outputs: list(object({ tensor: text, differs: number })),
      },
      { published: flag },
    ),
  ),
  description:
    "operators that decide: operands at most `distance` from each other, or from an integer, may go either way, and an output may then differ by up to `differs`",
};

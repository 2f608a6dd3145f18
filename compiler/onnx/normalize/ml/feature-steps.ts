import { atLastAxis, equals, type MlBuilder, numberOf, numbersOf, reduceRows, textOf } from "./ml-builder.ts";

/** (x − offset) · scale, for each feature or for all alike. */
export function scaler({ node, real, add, weight, output }: MlBuilder): readonly string[] {
  const [offset, scale] = [numbersOf(node, "offset"), numbersOf(node, "scale")];
  const moved = offset.length > 0 ? add("Sub", [real(0), weight("offset", [offset.length], offset)]) : real(0);
  output(0, scale.length > 0 ? add("Mul", [moved, weight("scale", [scale.length], scale)]) : moved);
  return [];
}

/** Each row divided by its largest element, its sum of magnitudes, or its Euclidean length. */
const rowNorms: Readonly<Record<string, (builder: MlBuilder, x: string) => string>> = {
  MAX: (builder, x) => reduceRows(builder, "ReduceMax", x),
  L1: (builder, x) => reduceRows(builder, "ReduceL1", x),
  L2: (builder, x) => reduceRows(builder, "ReduceL2", x),
};

export function normalizer(builder: MlBuilder): readonly string[] {
  const name = textOf(builder.node, "norm", "MAX");
  const norm = Object.hasOwn(rowNorms, name) ? rowNorms[name] : undefined;
  if (!norm) throw new Error(`expected a norm of ${Object.keys(rowNorms).join(", ")}, found ${name}`);
  const x = builder.real(0);
  builder.output(0, builder.add("Div", [x, norm(builder, x)]));
  return [];
}

/** x, or the imputed value where x is missing: what the client holds and what the server holds are added. */
export function imputer(builder: MlBuilder): readonly string[] {
  const { node, real, add, weight, number, output } = builder;
  const imputed = ["imputed_value_floats", "imputed_value_int64s"]
    .map((name) => numbersOf(node, name))
    .find((values) => values.length > 0);
  if (!imputed) throw new Error("expected imputed values");
  const missing = numberOf(
    node,
    node.attributes.has("replaced_value_int64") ? "replaced_value_int64" : "replaced_value_float",
    0,
  );
  const x = real(0);
  // No party holds an infinity.
  if (Math.abs(missing) === Infinity) {
    output(0, x);
    return [];
  }
  const isMissing = Number.isNaN(missing) ? add("IsNaN", [x]) : equals(builder, x, number(missing));
  const present = add("Where", [isMissing, number(0), x]);
  const values = add("Mul", [add("Cast", [isMissing], { to: 1 }), weight("imputed", [imputed.length], imputed)]);
  output(0, add("Add", [present, values]));
  return [];
}

/** 1 where x exceeds the threshold, else 0. */
export function binarizer({ node, real, add, weight, number, output }: MlBuilder): readonly string[] {
  const beyond = add("Sub", [real(0), weight("threshold", [1], [numberOf(node, "threshold", 0)])]);
  output(0, add("Cast", [add("Greater", [beyond, number(0)])], { to: 1 }));
  return [];
}

/** The inputs side by side. */
export function featureVectorizer({ node, real, add, output }: MlBuilder): readonly string[] {
  output(
    0,
    add(
      "Concat",
      node.inputs.map((_, index) => real(index)),
      { axis: 1 },
    ),
  );
  return [];
}

/** [x = category] on a new last axis. */
export function oneHotEncoder(builder: MlBuilder): readonly string[] {
  const { node, add, real, weight, output } = builder;
  const categories = numbersOf(node, "cats_int64s");
  if (categories.length === 0)
    throw new Error("texts have no fixed point: give the model the numbers of the categories");
  const column = atLastAxis(builder, "Unsqueeze", real(0));
  const rows = weight("categories", [categories.length], categories);
  output(0, add("Cast", [add("Equal", [column, rows])], { to: 1 }));
  return [];
}

/** Keys and values of a LabelEncoder by type; texts have no fixed point. */
const numberLists = ["int64s", "floats"] as const;

/** default + Σ [x = key] · (value − default). */
export function labelEncoder(builder: MlBuilder): readonly string[] {
  const { node, add, real, weight, output } = builder;
  const listOf = (
    part: string,
  ): { readonly kind: (typeof numberLists)[number]; readonly values: readonly number[] } => {
    const kind = numberLists.find((each) => numbersOf(node, `${part}_${each}`).length > 0);
    if (!kind) throw new Error(`its ${part} are texts, which have no fixed point: the client translates them itself`);
    return { kind, values: numbersOf(node, `${part}_${kind}`) };
  };
  const [keys, values] = [listOf("keys"), listOf("values")];
  const isWhole = values.kind === "int64s";
  const otherwise = numberOf(node, isWhole ? "default_int64" : "default_float", isWhole ? -1 : 0);
  const column = atLastAxis(builder, "Unsqueeze", real(0));
  const rows = weight("keys", [keys.values.length], keys.values);
  const chosen = add("Cast", [add("Equal", [column, rows])], { to: 1 });
  const moved = values.values.map((value) => value - otherwise);
  const table = weight("values", [moved.length, 1], moved);
  const found = add("Add", [add("MatMul", [chosen, table]), weight("default", [1], [otherwise])]);
  const flat = atLastAxis(builder, "Squeeze", found);
  output(0, isWhole ? add("Cast", [flat], { to: 7 }) : flat);
  return [];
}

/** `/model/layers.0/mlp/Mul_output_0` becomes `model.layers.0.mlp.Mul`. */
export function displayName(name: string): string {
  return name
    .replace(/^\/+/, "")
    .replace(/_output_0$/, "")
    .replaceAll("/", ".")
    .replaceAll("::", ".");
}

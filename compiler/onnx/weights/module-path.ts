import type { OnnxNode } from "../format/index.ts";

/** Top-level names of Hugging Face models; a wrapper's attribute has none of them. */
const rootNames = new Set(
  (
    "model transformer bert roberta distilbert deberta albert electra vit resnet gpt_neox opt encoder decoder layers h " +
    "layer embeddings embed_tokens wte wpe norm ln_f lm_head embed_out classifier score pooler pre_classifier " +
    "qa_outputs cls head fc features conv1 bn1 layer1 rnn lstm gru"
  ).split(" "),
);

/** Segments of wrappers around the model that may lead names: `m.`, `base_model.model.`. */
export type PathPrefix = readonly string[];

/**
 * The leading segments of all parameter names that are not part of the model: everything before the first segment that
 * models use.
 */
export function findWrapperPrefix(names: readonly string[]): PathPrefix {
  const paths = names.map((name) => name.split("."));
  const prefix: string[] = [];
  while (paths.length > 0) {
    const segment = paths[0]![prefix.length]!;
    // A parameter needs a module and a name of its own.
    const shared = paths.every((path) => path[prefix.length] === segment && path.length > prefix.length + 2);
    if (!shared || rootNames.has(segment)) break;
    prefix.push(segment);
    // PEFT's wrapper holds the model in its attribute `model`.
    if (segment === "base_model" && paths.every((path) => path[prefix.length] === "model")) prefix.push("model");
  }
  return prefix;
}

export function stripPrefix(name: string, prefix: PathPrefix): string {
  const front = prefix.map((segment) => `${segment}.`).join("");
  return front && name.startsWith(front) ? name.slice(front.length) : name;
}

/** `/m/model/layers.0/self_attn/q_proj/MatMul` is a node of `m.model.layers.0.self_attn.q_proj`. */
export function modulePathOf(node: OnnxNode, prefix: PathPrefix): string | undefined {
  const isPath = node.name.startsWith("/");
  const segments = isPath ? node.name.slice(1).split("/") : nodeScopes(node);
  if (!segments || segments.length < 2) return undefined;
  const modules = segments.slice(0, -1);
  // A Sequential has a scope of its own before those of its parts: `/classifier/classifier.1/Gemm`.
  const path = modules.filter((segment, index) => !modules[index + 1]?.startsWith(`${segment}.`)).join(".");
  const stripped = (isPath ? modelPrefixes(prefix) : [prefix]).map((calls) => stripPrefix(path, calls));
  return (stripped.find((each) => each !== path) ?? path) || undefined;
}

/**
 * Wrapper prefixes in the scopes of TorchScript. PEFT runs the model inside `base_model.model.`, and depending on its
 * version one of the two has no scope.
 */
function modelPrefixes(prefix: PathPrefix): readonly PathPrefix[] {
  const at = prefix.findIndex((segment, index) => segment === "base_model" && prefix[index + 1] === "model");
  return at === -1 ? [prefix] : [prefix.toSpliced(at + 1, 1), prefix.toSpliced(at, 1)];
}

/** The dynamo exporter writes `['', 'm', 'm.model', 'm.model.lm_head', 'linear']`: the last but one is the module. */
function nodeScopes(node: OnnxNode): string[] | undefined {
  const scopes = parsePythonList(node.metadata.get("pkg.torch.onnx.name_scopes") ?? "");
  const module = scopes?.at(-2);
  return module ? [...module.split("."), scopes!.at(-1)!] : undefined;
}

/** Parses a list of strings as Python prints it: `['a', 'b']`. */
export function parsePythonList(text: string): string[] | undefined {
  if (!/^\[('[^'\\]*'(, '[^'\\]*')*)?\]$/.test(text)) return undefined;
  return [...text.matchAll(/'([^'\\]*)'/g)].map(([, name]) => name!);
}

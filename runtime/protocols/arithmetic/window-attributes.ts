import type { ConvolutionGeometry, Windows } from "../../ring/index.ts";
import type { Spec } from "../kit/index.ts";

/** Reads a list from the attributes of conv and of the pooling operators. */
const list = (attrs: Spec["attrs"], name: string): readonly number[] => attrs[name] as readonly number[];

export const convolutionOf = ({ attrs }: Pick<Spec, "attrs">): ConvolutionGeometry => ({
  strides: list(attrs, "strides"),
  pads: list(attrs, "pads"),
  dilations: list(attrs, "dilations"),
  group: Number(attrs.group),
});

export const windowsOf = ({ attrs }: Pick<Spec, "attrs">): Windows => ({
  kernel: list(attrs, "kernel"),
  strides: list(attrs, "strides"),
  pads: list(attrs, "pads"),
  dilations: list(attrs, "dilations"),
});

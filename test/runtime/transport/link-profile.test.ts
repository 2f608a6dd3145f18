import { describe, expect, test } from "vitest";
import { linkProfiles, parseLink, transmissionMs } from "../../../runtime/transport/link-profile.ts";

describe("link profiles", () => {
  test("names and custom links", () => {
    expect(parseLink("lan")).toEqual(linkProfiles.lan);
    expect(parseLink(" WAN ")).toEqual({ name: "wan", mbitPerSecond: 100, roundTripMs: 80 });
    expect(parseLink("250x12.5")).toEqual({ name: "250x12.5", mbitPerSecond: 250, roundTripMs: 12.5 });
    expect(parseLink("1x0").roundTripMs).toBe(0);
  });

  test.each([
    "",
    "man",
    "0x10",
    "-1x5",
    "10",
    "10x",
    "x10",
    "1e9x1",
    "10x5ms",
    "1".repeat(400).concat("x1"),
  ])("%s is refused with an example", (text) => expect(() => parseLink(text)).toThrow(/use lan .*100x40/));

  test("transmission time", () => expect(transmissionMs(linkProfiles.wan, 12_500)).toBeCloseTo(1));
});

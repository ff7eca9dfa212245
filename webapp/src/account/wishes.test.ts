import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applied, over, type Tree, without } from "./merge";
import { defaults, effective, heard, isKnown, nothing, own, sent, wished } from "./wishes";

const leaf = fc.oneof(fc.boolean(), fc.integer(), fc.constant(null), fc.string());
const patch: fc.Arbitrary<Tree> = fc.dictionary(
  fc.constantFrom("a", "b", "c"),
  fc.oneof(leaf, fc.dictionary(fc.constantFrom("x", "y"), leaf)),
);

describe("patches", () => {
  test("laid over each other are applied as if one after the other", () => {
    // A leaf that becomes a branch, or the other way round, is in no schema.
    const flat = fc.dictionary(fc.constantFrom("a", "b", "c"), leaf);
    fc.assert(
      fc.property(flat, flat, flat, (one, two, values) => {
        expect(applied(over(two, one), values)).toEqual(applied(two, applied(one, values)));
      }),
    );
  });

  test("lose what was sent, and nothing else", () => {
    fc.assert(fc.property(patch, (p) => void expect(without(p, p)).toEqual({})));
    const two = { theme: "dark", editor: { font_size: 18, spellcheck: false } };
    const rest = { theme: "dark", editor: { spellcheck: false } };
    expect(without(two, { theme: "light", editor: { font_size: 18 } })).toEqual(rest);
  });
});

describe("wishes", () => {
  const told = (values: Tree, version: number, sources: Record<string, string> = {}) => ({
    scope: "account",
    values: values as Record<string, unknown>,
    sources,
    version,
  });

  test("are the defaults where nothing is known", () => {
    expect(effective(nothing)).toEqual(defaults);
    expect(isKnown(nothing)).toBe(false);
  });

  test("hold at once, over what the server said", () => {
    const kept = wished(heard(nothing, "account", told({ theme: "light" }, 1)), "account", { theme: "dark" });
    expect(effective(kept).theme).toBe("dark");
    expect(isKnown(kept)).toBe(true);
  });

  test("of a device hold over the account's, until they are taken back", () => {
    let kept = heard(nothing, "account", told({ theme: "light", editor: { font_size: 14 } }, 1));
    const here = told({ theme: "dark", editor: { font_size: 14 } }, 2, { "/theme": "device", "/editor/font_size": "account" });
    kept = heard(kept, "device", here);
    expect(own(kept)).toEqual({ theme: "dark" });
    expect(effective(kept)).toMatchObject({ theme: "dark", editor: { font_size: 14 } });
    kept = wished(kept, "device", { theme: null });
    expect(own(kept)).toEqual({});
    expect(effective(kept).theme).toBe("light");
  });

  test("are not undone by an answer that was overtaken", () => {
    const kept = heard(nothing, "account", told({ theme: "dark" }, 5));
    expect(heard(kept, "account", told({ theme: "light" }, 4))).toBe(kept);
  });

  test("that changed while they were sent are sent again", () => {
    const first = wished(nothing, "account", { theme: "dark", density: "compact" });
    const meanwhile = wished(first, "account", { theme: "light" });
    expect(sent(meanwhile, "account", first.pending.account).pending.account).toEqual({ theme: "light" });
  });
});

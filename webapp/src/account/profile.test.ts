import { describe, expect, test } from "vitest";
import { Problem } from "@/api/problem";
import type { Schemas } from "@/api/client";
import { Clash, lengthOf, maxName, said, save } from "./profile";

const base: Schemas["Profile"] = {
  id: "u",
  display_name: "Ada",
  bio: "",
  locale: "",
  timezone: "UTC",
  avatar_url: "",
  has_avatar: false,
  version: 3,
  created_at: "",
  updated_at: "",
};
const stale = (current: Schemas["Profile"]) => new Problem(412, "stale", "", [], undefined, current);

/** A server whose profile is `there`. */
const at = (there: Schemas["Profile"]) => (version: number, mine: Partial<Schemas["Profile"]>) =>
  version === there.version ? Promise.resolve({ ...there, ...mine, version: version + 1 }) : Promise.reject(stale(there));

describe("saving a profile", () => {
  test("that nobody else changed", async () => {
    expect(await save(base, { bio: "Mathematics" }, at(base))).toMatchObject({ bio: "Mathematics", version: 4 });
  });

  test("keeps what was changed elsewhere, of other fields", async () => {
    const there = { ...base, timezone: "Europe/Warsaw", version: 5 };
    expect(await save(base, { bio: "Mathematics" }, at(there))).toMatchObject({
      bio: "Mathematics",
      timezone: "Europe/Warsaw",
      version: 6,
    });
  });

  test("lets who typed decide about a field that both changed", async () => {
    const there = { ...base, bio: "Poetry", version: 5 };
    const clash = await save(base, { bio: "Mathematics" }, at(there)).catch((err: unknown) => err);
    expect(clash).toBeInstanceOf(Clash);
    expect(clash).toMatchObject({ about: ["bio"], current: there });
    expect(await save(there, { bio: "Mathematics" }, at(there))).toMatchObject({ bio: "Mathematics" });
  });

  test("is no clash where both changed it to the same", async () => {
    const there = { ...base, bio: "Poetry", version: 5 };
    expect(await save(base, { bio: "Poetry" }, at(there))).toMatchObject({ bio: "Poetry" });
  });
});

test("a name is as long as the server counts it", () => {
  const faces = "🙂".repeat(maxName);
  expect(lengthOf(faces)).toBe(maxName);
  const ada = { display_name: faces, bio: "", locale: "", timezone: "" };
  expect(said.safeParse(ada).success).toBe(true);
  expect(said.safeParse({ ...ada, display_name: faces + "!" }).error?.issues).toMatchObject([{ message: "too_long" }]);
});

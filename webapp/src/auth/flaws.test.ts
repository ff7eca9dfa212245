import { describe, expect, test } from "vitest";
import { Problem, Unreachable } from "@/api/problem";
import { email, newPassword, placed } from "./flaws";

const fields = ["email", "password"] as const;

describe("a problem is told", () => {
  test("at the fields it points to", () => {
    const problem = new Problem(422, "invalid", "", [
      { pointer: "/password", code: "too_common", detail: "is too common" },
      { pointer: "/password", code: "too_short", detail: "is too short" },
    ]);
    expect(placed(problem, fields)).toEqual({
      flaws: { password: { code: "too_common", detail: "is too common" } },
      rest: false,
    });
  });

  test("at the field that its code is about", () => {
    const problem = new Problem(409, "email_taken", "There is an account with this email already.");
    expect(placed(problem, fields, { email_taken: "email" })).toMatchObject({
      flaws: { email: { code: "email_taken" } },
      rest: false,
    });
  });

  test("of the form where it is about none of its fields", () => {
    for (const err of [
      new Problem(503, "busy", ""),
      new Unreachable(),
      new Error(),
      new Problem(422, "invalid", "", [{ pointer: "/session", code: "not_allowed", detail: "" }]),
    ]) {
      expect(placed(err, fields)).toEqual({ flaws: {}, rest: true });
    }
  });
});

test.each([
  ["", "required"],
  ["  ", "required"],
  ["ada", "not_an_email"],
  ["ada@", "not_an_email"],
  ["ada @example.com", "not_an_email"],
  [" ada@example.com ", false],
  ["ada+tag@sub.example.com", false],
])("the address %j", (text, code) => expect(email(text)).toBe(code));

test.each([
  ["", "required"],
  ["123456789", "too_short"],
  ["🙂".repeat(9), "too_short"],
  ["🙂".repeat(10), false],
  ["x".repeat(128), false],
  ["x".repeat(129), "too_long"],
])("the new password %j", (text, code) => expect(newPassword(text)).toBe(code));

import { Problem } from "@/api/problem";

/** What is wrong with a field: a stable code, and the server's words where it said some. */
export interface Flaw {
  code: string;
  detail?: string;
}

export type Flaws<F extends string> = Partial<Record<F, Flaw>>;

/**
 * Finds the fields of a form that a failure is about: those that the problem
 * points to, or else the one that its code is `about`. `rest` tells whether
 * something is left to be said of the whole form.
 */
export function placed<F extends string>(
  err: unknown,
  fields: readonly F[],
  about: Record<string, F> = {},
): { flaws: Flaws<F>; rest: boolean } {
  const flaws: Flaws<F> = {};
  if (!(err instanceof Problem)) return { flaws, rest: true };
  const home = about[err.code];
  if (home) return { flaws: { [home]: { code: err.code, detail: err.detail } } as Flaws<F>, rest: false };
  let rest = err.fields.length === 0;
  for (const { pointer, code, detail } of err.fields) {
    const field = fields.find((f) => pointer === "/" + f);
    if (field) flaws[field] ??= { code, detail };
    else rest = true;
  }
  return { flaws, rest };
}

/** The server's least length of a new password, in characters as people count them. */
export const minLength = 10;

/** What can be told of a new password here; the server knows which are easily guessed. */
export function newPassword(text: string): string | false {
  const length = [...text].length;
  return length === 0 ? "required" : length < minLength ? "too_short" : length > 128 && "too_long";
}

/** What can be told of an address here; only a mail that arrives tells more. */
export function email(text: string): string | false {
  if (!text.trim()) return "required";
  return !/^[^\s@]+@[^\s@]+$/.test(text.trim()) && "not_an_email";
}

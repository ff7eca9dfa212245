import type { TFunction } from "i18next";
import { Problem, Unreachable } from "@/api/problem";

/** An error, for people. What the server says of a request is fit to be seen (and in English). */
export function explain(err: unknown, t: TFunction): string {
  if (err instanceof Unreachable) return t("common:problem.unreachable");
  if (err instanceof Problem) {
    if (err.status === 429) {
      return err.retryAfter ? t("common:problem.busy_seconds", { count: err.retryAfter }) : t("common:problem.busy");
    }
    if (err.status < 500) return err.detail;
  }
  return t("common:problem.internal");
}

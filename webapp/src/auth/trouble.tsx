import type { ComponentProps } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";

/** What is wrong with a form as a whole, and for how long. */
export function Trouble({ form: { problem, wait } }: { form: { problem: string | undefined; wait: number } }) {
  const { t } = useTranslation("auth");
  if (!problem) return null;
  return (
    <div className="rounded-lg border border-danger bg-danger-soft px-3 py-2 text-danger">
      <p role="alert">{problem}</p>
      {/* A timer is not read out at each of its steps. */}
      {wait > 0 && <p role="timer">{t("wait", { count: wait })}</p>}
    </div>
  );
}

interface SendProps extends Pick<ComponentProps<typeof Button>, "look" | "form" | "className"> {
  of: { busy: boolean; wait: number };
  children: string;
}

/** The button that sends a form. While that has to wait it does nothing, but keeps the focus. */
export function Send({ of: { busy, wait }, look = "primary", className = "", ...rest }: SendProps) {
  return (
    <Button
      type="submit"
      look={look}
      busy={busy}
      aria-disabled={wait > 0 || undefined}
      className={`aria-disabled:cursor-default aria-disabled:opacity-55 ${className}`}
      {...rest}
    />
  );
}

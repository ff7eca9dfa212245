import { type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { SignedOut, Unreachable } from "@/api/problem";
import { session, type User } from "@/api/session";
import { forgetReplica } from "@/replica/open";
import { useReplica } from "@/replica/react";
import { toast } from "@/ui/toast";
import { Later, LogOutDialog } from "./later";

export type Scope = "current" | "all";

/** How long what was not sent yet is waited for, in milliseconds. */
const patience = 5_000;

export type Step =
  | { is: "asking" | "sending" | "unsent" | "leaving"; scope: Scope }
  | { is: "failed"; scope: Scope; error: unknown };

/** Logs out once nothing is lost by that, or the user says so; with the dialog that asks. */
export function useLogOut(user: User): { logOut: (scope: Scope) => void; dialog: ReactNode } {
  const { t } = useTranslation("notes");
  const replica = useReplica();
  const [step, setStep] = useState<Step>();
  const waiting = useRef<AbortController>(undefined);

  async function send(scope: Scope) {
    const wait = new AbortController();
    waiting.current = wait;
    setStep({ is: "sending", scope });
    const timer = setTimeout(() => wait.abort(late), patience);
    await replica.sent(wait.signal);
    clearTimeout(timer);
    if (!wait.signal.aborted) await leave(scope);
    else if (wait.signal.reason !== late) setStep(undefined);
    // There is no use in giving up notes for what would fail then.
    else if (!replica.snapshot().sync.online) setStep({ is: "failed", scope, error: new Unreachable() });
    else setStep({ is: "unsent", scope });
  }

  async function leave(scope: Scope) {
    setStep({ is: "leaving", scope });
    try {
      await end(scope);
    } catch (error) {
      setStep({ is: "failed", scope, error });
      return;
    }
    // Who logs in next, who may be another, begins anew.
    navigate("/login", { replace: true });
    await forgetReplica(user.id).catch(() => toast({ text: t("logout.kept"), tone: "danger" }));
  }

  const close = () => {
    waiting.current?.abort();
    setStep(undefined);
  };
  return {
    logOut: (scope) => (scope === "all" ? setStep({ is: "asking", scope }) : void send(scope)),
    dialog: step && (
      <Later>
        <LogOutDialog
          step={step}
          onClose={close}
          onSend={() => void send(step.scope)}
          onLeave={() => void leave(step.scope)}
        />
      </Later>
    ),
  };
}

const late = "late";

async function end(scope: Scope): Promise<void> {
  try {
    await session.logout(scope);
  } catch (err) {
    if (!(err instanceof SignedOut)) throw err;
    session.out();
  }
}

import { useEffect, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { data, open } from "@/api/client";
import { Problem } from "@/api/problem";
import { session } from "@/api/session";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { Spinner } from "@/ui/spinner";
import { Card } from "./card";
import { Resend } from "./resend";
import { useLinkToken } from "./token";
import { refreshUser } from "./user";
import { Way } from "./way";

type Outcome = { is: "done" } | { is: "expired" } | { is: "failed"; err: unknown };

const asked = new Map<string, Promise<Outcome>>();

/** Uses a link's token; once, however often it is asked for. */
function verified(token: string): Promise<Outcome> {
  let outcome = asked.get(token);
  if (!outcome) asked.set(token, (outcome = verify(token)));
  return outcome;
}

async function verify(token: string): Promise<Outcome> {
  try {
    await data(open.POST("/v1/auth/email/verify", { body: { token } }));
    await refreshUser();
    return { is: "done" };
  } catch (err) {
    if (!(err instanceof Problem && err.status === 410)) return { is: "failed", err };
    // A link that served before may have been this user's, and then all is well.
    const user = await refreshUser();
    return { is: user?.email_verified ? "done" : "expired" };
  }
}

export default function Verify() {
  const { t } = useTranslation("auth");
  const token = useLinkToken();
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const [outcome, setOutcome] = useState<Outcome>();

  useEffect(() => {
    if (!token || outcome) return;
    let left = false;
    void verified(token).then((o) => !left && setOutcome(o));
    return () => {
      left = true;
    };
  }, [token, outcome]);

  const loggedIn = state.status === "in";
  const on = <Way href={loggedIn ? "/notes" : "/login"}>{t(loggedIn ? "to_notes" : "login.title")}</Way>;
  if (!token) return <Card title={t("verify.missing")} lead={<p>{t("verify.missing_lead")}</p>} beside={on} />;
  switch (outcome?.is) {
    case undefined:
      return (
        <Card title={t("verify.title")}>
          <p role="status" className="flex items-center gap-2 text-soft">
            <Spinner /> {t("verify.checking")}
          </p>
        </Card>
      );
    case "done":
      return (
        <Card title={t("verify.done")} lead={<p role="status">{t("verify.done_lead")}</p>}>
          {on}
        </Card>
      );
    case "expired":
      return (
        <Card
          title={t("verify.expired")}
          lead={<p role="status">{t(loggedIn ? "verify.expired_in" : "verify.expired_out")}</p>}
          beside={loggedIn && on}
        >
          {loggedIn ? <Resend className="w-full" /> : on}
        </Card>
      );
    case "failed":
      return (
        <Card title={t("verify.failed")} lead={<p role="alert">{explain(outcome.err, t)}</p>}>
          <Button
            look="primary"
            className="w-full"
            onClick={() => {
              asked.delete(token);
              setOutcome(undefined);
            }}
          >
            {t("common:retry")}
          </Button>
        </Card>
      );
  }
}

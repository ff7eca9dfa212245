import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, data } from "@/api/client";
import { Problem } from "@/api/problem";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { toast } from "@/ui/toast";
import { refreshUser } from "./user";

/** Has the link that verifies the user's address sent again. */
export function Resend({ className = "" }: { className?: string }) {
  const { t } = useTranslation();
  const [at, setAt] = useState<"rest" | "sending" | "sent">("rest");

  async function resend() {
    setAt("sending");
    try {
      await data(api.POST("/v1/auth/email/verify", { body: { resend: true } }));
      setAt("sent");
      toast({ key: "verify", text: t("unverified.sent") });
    } catch (err) {
      setAt("rest");
      if (err instanceof Problem && err.code === "email_verified") return void refreshUser();
      const many = err instanceof Problem && err.code === "too_many_mails";
      toast({ key: "verify", tone: "danger", text: many ? t("unverified.many") : explain(err, t) });
    }
  }

  return (
    <Button busy={at === "sending"} disabled={at === "sent"} className={className} onClick={() => void resend()}>
      {t(at === "sent" ? "unverified.is_sent" : "unverified.resend")}
    </Button>
  );
}

import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { data, open } from "@/api/client";
import { Button } from "@/ui/button";
import { Card } from "./card";
import { EmailField } from "./email";
import { email } from "./flaws";
import { useForm } from "./form";
import { Send, Trouble } from "./trouble";
import { useFocus } from "./use-focus";

export default function Forgot() {
  const { t } = useTranslation("auth");
  const [sent, setSent] = useState<string>();
  const back = (
    <Link href="/login" className="font-medium text-accent underline">
      {t("back_to_login")}
    </Link>
  );
  if (sent === undefined) return <Ask onSent={setSent} back={back} />;
  return (
    <Card title={t("forgot.sent")} lead={<p role="status">{t("forgot.sent_lead", { email: sent })}</p>} beside={back}>
      <p className="text-soft">{t("forgot.nothing")}</p>
      <Button className="mt-5 w-full" onClick={() => setSent(undefined)}>
        {t("forgot.again")}
      </Button>
    </Card>
  );
}

function Ask({ onSent, back }: { onSent: (email: string) => void; back: ReactNode }) {
  const { t } = useTranslation("auth");
  const first = useFocus();
  const form = useForm({
    fields: ["email"],
    check: (values) => ({ email: email(values.email) }),
    send: async (values) => {
      const body = { email: values.email.trim() };
      await data(open.POST("/v1/auth/password/forgot", { body }));
      onSent(body.email);
    },
  });
  return (
    <Card title={t("forgot.title")} lead={<p>{t("forgot.lead")}</p>} beside={back}>
      <form {...form.props} className="flex flex-col gap-4">
        <Trouble form={form} />
        <EmailField ref={first} error={form.flaw("email")} />
        <Send of={form} className="w-full">{t("forgot.send")}</Send>
      </form>
    </Card>
  );
}

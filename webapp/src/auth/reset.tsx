import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, data, open } from "@/api/client";
import { Problem } from "@/api/problem";
import { session } from "@/api/session";
import { Card } from "./card";
import { newPassword } from "./flaws";
import { useForm } from "./form";
import { NewPasswordField } from "./password";
import { useLinkToken } from "./token";
import { Send, Trouble } from "./trouble";
import { useFocus } from "./use-focus";
import { Way } from "./way";

export default function Reset() {
  const { t } = useTranslation("auth");
  const token = useLinkToken();
  const [over, setOver] = useState<{ token: string; how: "done" | "expired" }>();
  const how = !token ? "missing" : over?.token === token ? over.how : undefined;
  if (token && !how) return <Ask key={token} token={token} onOver={(how) => setOver({ token, how })} />;
  return (
    <Card title={t(`reset.${how}`)} lead={<p role="status">{t(`reset.${how}_lead`)}</p>}>
      <Way href={how === "done" ? "/login" : "/forgot"}>{t(how === "done" ? "login.title" : "reset.again")}</Way>
    </Card>
  );
}

function Ask({ token, onOver }: { token: string; onOver: (how: "done" | "expired") => void }) {
  const { t } = useTranslation("auth");
  const first = useFocus();
  const form = useForm({
    fields: ["password"],
    check: ({ password }) => ({ password: newPassword(password) }),
    send: async ({ password }) => {
      try {
        await data(open.POST("/v1/auth/password/reset", { body: { token, password } }));
      } catch (err) {
        if (err instanceof Problem && err.status === 410) return onOver("expired");
        throw err;
      }
      // If this device's session was among those that ended, it hears of that now.
      if (session.state.status === "in") await api.GET("/v1/auth/me").catch(() => undefined);
      onOver("done");
    },
  });
  return (
    <Card title={t("reset.title")} lead={<p>{t("reset.lead")}</p>}>
      <form {...form.props} className="flex flex-col gap-4">
        <Trouble form={form} />
        <NewPasswordField ref={first} name="password" label={t("password.new")} error={form.flaw("password")} />
        <Send of={form} className="w-full">{t("reset.send")}</Send>
      </form>
    </Card>
  );
}

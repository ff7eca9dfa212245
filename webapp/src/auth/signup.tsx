import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearch } from "wouter";
import { session } from "@/api/session";
import { TextField } from "@/ui/field";
import { Card } from "./card";
import { EmailField } from "./email";
import { email, newPassword } from "./flaws";
import { useForm } from "./form";
import { NewPasswordField } from "./password";
import { Send, Trouble } from "./trouble";
import { useFocus } from "./use-focus";

export default function Signup() {
  const { t } = useTranslation("auth");
  const search = useSearch();
  const first = useFocus();
  // The same account again is the same request, so that an answer that got lost takes no address.
  const last = useRef({ body: "", key: "" });
  const form = useForm({
    fields: ["name", "email", "password"],
    check: (values) => ({ email: email(values.email), password: newPassword(values.password) }),
    about: { email_taken: "email" },
    send: async (values) => {
      const account = { name: values.name.trim(), email: values.email.trim(), password: values.password };
      const body = JSON.stringify(account);
      if (last.current.body !== body) last.current = { body, key: crypto.randomUUID() };
      await session.signup(account, last.current.key);
    },
  });
  const login = "/login" + (search && "?" + search);
  return (
    <Card
      title={t("signup.title")}
      lead={<p>{t("signup.lead")}</p>}
      beside={
        <p>
          {t("signup.known")}{" "}
          <Link href={login} className="font-medium text-accent underline">
            {t("signup.login")}
          </Link>
        </p>
      }
    >
      <form {...form.props} className="flex flex-col gap-4">
        <Trouble form={form} />
        <TextField
          ref={first}
          name="name"
          label={t("signup.name")}
          hint={t("signup.name_hint")}
          autoComplete="name"
          maxLength={100}
          error={form.flaw("name")}
        />
        <EmailField error={form.flaw("email")} />
        {form.flaws.email?.code === "email_taken" && (
          <Link href={login} className="-mt-2 self-start py-1 font-medium text-accent underline">
            {t("signup.taken")}
          </Link>
        )}
        <NewPasswordField name="password" label={t("password.label")} error={form.flaw("password")} />
        <Send of={form} className="w-full">{t("signup.send")}</Send>
      </form>
    </Card>
  );
}

import { useEffect, useId, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearch } from "wouter";
import { session, type User } from "@/api/session";
import { TextField } from "@/ui/field";
import { Card } from "./card";
import { useForm } from "./form";
import { PasswordField } from "./password";
import { Send, Trouble } from "./trouble";
import { typed } from "./typed";

export default function Login() {
  const { t } = useTranslation("auth");
  const search = useSearch();
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const ended = state.status === "out" ? state.ended : undefined;
  const [login, setLogin] = useState(ended ? address(ended) : typed.address);
  const fields = useRef<HTMLFormElement>(null);
  const notice = useId();
  const form = useForm({
    fields: ["login", "password"],
    check: ({ login, password }) => ({ login: !login.trim() && "required", password: !password && "required" }),
    about: { invalid_credentials: "password" },
    send: ({ login, password }) => session.login(login.trim(), password),
  });

  useEffect(() => {
    const inputs = [...(fields.current?.querySelectorAll("input") ?? [])];
    inputs.find((input) => !input.value)?.focus();
  }, []);

  const other = ended !== undefined && login.trim() !== "" && !names(ended, login);
  return (
    <Card
      title={t("login.title")}
      lead={
        ended && (
          <p id={notice} className="mt-4 rounded-lg bg-sunken px-3 py-2 text-ink">
            {t("login.ended", { name: address(ended) })}
          </p>
        )
      }
      beside={
        <p>
          {t("login.new")}{" "}
          <Link href={"/signup" + (search && "?" + search)} className="font-medium text-accent underline">
            {t("login.signup")}
          </Link>
        </p>
      }
    >
      <form {...form.props} ref={fields} aria-describedby={ended && notice} className="flex flex-col gap-4">
        <Trouble form={form} />
        <TextField
          name="login"
          label={t("login.login")}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          inputMode="email"
          maxLength={320}
          value={login}
          onChange={(event) => setLogin(event.target.value)}
          hint={other && t("login.other", { name: address(ended) })}
          error={form.flaw("login")}
        />
        <PasswordField
          name="password"
          label={t("password.label")}
          autoComplete="current-password"
          error={form.flaw("password")}
        />
        <Send of={form} className="w-full">{t("login.send")}</Send>
        <Link href="/forgot" className="self-center py-1 text-soft underline hover:text-ink">
          {t("login.forgot")}
        </Link>
      </form>
    </Card>
  );
}

const address = (user: User) => user.email ?? user.username ?? user.name;

/** Whether a login is the user's, as the server compares them: emails in any letter case. */
const names = (user: User, login: string) =>
  login.trim() === user.username || login.trim().toLowerCase() === user.email?.toLowerCase();

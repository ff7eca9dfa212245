import { BadgeCheck, TriangleAlert } from "lucide-react";
import { useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, data } from "@/api/client";
import { session } from "@/api/session";
import { newPassword } from "@/auth/flaws";
import { useForm } from "@/auth/form";
import { NewPasswordField, PasswordField } from "@/auth/password";
import { Resend } from "@/auth/resend";
import { Send, Trouble } from "@/auth/trouble";
import { useUnverified } from "@/auth/user";
import { toast } from "@/ui/toast";
import { Section } from "../section";

export function Security() {
  const { t } = useTranslation("account");
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const unverified = useUnverified();
  // Another one of them is an empty one.
  const [changes, setChanges] = useState(0);
  if (state.status === "out") return null;
  const { user } = state;
  return (
    <>
      <Section title={t("security.email")}>
        {user.email ? (
          <div className="flex flex-wrap items-center justify-between gap-3">
            <div className="min-w-0">
              <p className="font-medium break-words">{user.email}</p>
              {user.email_verified ? (
                <p className="flex items-center gap-1.5 text-sm text-accent">
                  <BadgeCheck aria-hidden className="size-4 shrink-0" /> {t("security.verified")}
                </p>
              ) : (
                <p className="flex items-center gap-1.5 text-sm text-warn">
                  <TriangleAlert aria-hidden className="size-4 shrink-0" /> {t("security.unverified")}
                </p>
              )}
            </div>
            {unverified && <Resend />}
          </div>
        ) : (
          <p className="text-soft">{t("security.no_email")}</p>
        )}
      </Section>
      <Section title={t("security.password")} lead={t("security.password_lead")}>
        <ChangePassword key={changes} login={user.email ?? user.username ?? ""} onChanged={() => setChanges(changes + 1)} />
      </Section>
      <Section title={t("sessions.title")} lead={t("security.sessions_lead")}>
        <Link href="/account/sessions" className="inline-flex min-h-10 items-center font-medium text-accent underline">
          {t("security.sessions")}
        </Link>
      </Section>
    </>
  );
}

function ChangePassword({ login, onChanged }: { login: string; onChanged: () => void }) {
  const { t } = useTranslation("account");
  const form = useForm({
    fields: ["current_password", "password"],
    check: ({ current_password, password }) => ({
      current_password: !current_password && "required",
      password: newPassword(password),
    }),
    send: async (body) => {
      await data(api.PUT("/v1/auth/password", { body }));
      toast({ text: t("security.changed") });
      onChanged();
    },
  });
  return (
    <form {...form.props} className="flex max-w-sm flex-col gap-4">
      <Trouble form={form} />
      {/* For the browser's keeper of passwords, which wants to know whose it is. */}
      <input type="text" autoComplete="username" value={login} readOnly hidden />
      <PasswordField
        name="current_password"
        label={t("security.current")}
        autoComplete="current-password"
        error={form.flaw("current_password")}
      />
      <NewPasswordField name="password" label={t("security.new")} error={form.flaw("password")} />
      <Send of={form} className="self-start">
        {t("security.change")}
      </Send>
    </form>
  );
}

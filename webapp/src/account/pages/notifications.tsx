import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useUnverified } from "@/auth/user";
import { usePush } from "@/inbox/push";
import { explain } from "@/ui/explain";
import { Switch, TextField } from "@/ui/field";
import { toast } from "@/ui/toast";
import { setWish, useMe, useWishes } from "../preferences";
import { profile } from "../queries";
import { span } from "../quiet";
import { Section, useSaving } from "../section";
import type { Category, Channel } from "../wishes";

const categories: readonly Category[] = ["security", "account", "sharing", "reminder", "system"];
const channels: readonly Channel[] = ["in_app", "email", "push"];

export function NotificationsPage() {
  return (
    <>
      <Matrix />
      <Push />
      <QuietHours />
    </>
  );
}

function Matrix() {
  const { t } = useTranslation("account");
  const { notifications } = useWishes();
  const [step, saving] = useSaving();
  const unverified = useUnverified();
  return (
    <Section title={t("notifications.title")} lead={t("notifications.lead")} saving={step}>
      {unverified && (
        <p className="mb-4 rounded-lg border border-warn bg-warn-soft px-3 py-2 text-warn">
          {t("notifications.unverified")}{" "}
          <Link href="/account/security" className="font-medium underline">
            {t("notifications.verify")}
          </Link>
        </p>
      )}
      <div role="table" aria-label={t("notifications.title")} className="@container">
        <div role="row" className="hidden border-b border-line pb-2 text-sm text-soft @md:grid @md:grid-cols-[1fr_repeat(3,4.5rem)]">
          <span role="columnheader">{t("notifications.about")}</span>
          {channels.map((channel) => (
            <span key={channel} role="columnheader" className="text-center">
              {t("notifications.channels." + channel)}
            </span>
          ))}
        </div>
        {categories.map((category) => (
          <div
            key={category}
            role="row"
            className="grid grid-cols-3 items-center border-b border-line py-3 last:border-0 last:pb-0 @md:grid-cols-[1fr_repeat(3,4.5rem)]"
          >
            <div role="rowheader" className="col-span-3 @md:col-span-1 @md:pr-4">
              <p className="font-medium">{t(`notifications.categories.${category}`)}</p>
              <p className="text-sm text-soft">{t(`notifications.of.${category}`)}</p>
            </div>
            {channels.map((channel) => {
              const fixed = category === "security" && channel === "in_app";
              const name = t("notifications.channels." + channel);
              return (
                <div key={channel} role="cell">
                  <label
                    title={fixed ? t("notifications.fixed") : undefined}
                    className="flex min-h-10 cursor-pointer flex-row-reverse items-center justify-end gap-2 has-disabled:cursor-default @md:justify-center"
                  >
                    <span className="text-sm @md:sr-only">{name}</span>
                    <input
                      type="checkbox"
                      aria-label={t(fixed ? "notifications.cell_fixed" : "notifications.cell", {
                        category: t(`notifications.categories.${category}`),
                        channel: name,
                      })}
                      checked={fixed || notifications[category][channel]}
                      disabled={fixed}
                      onChange={(event) =>
                        saving(setWish({ notifications: { [category]: { [channel]: event.target.checked } } }))
                      }
                      className="size-5 cursor-pointer accent-accent disabled:cursor-default"
                    />
                  </label>
                </div>
              );
            })}
          </div>
        ))}
      </div>
    </Section>
  );
}

function Push() {
  const { t } = useTranslation("account");
  const { id } = useMe();
  const { state, turnOn, turnOff } = usePush(id);
  const [busy, setBusy] = useState(false);

  async function change(on: boolean) {
    setBusy(true);
    try {
      await (on ? turnOn() : turnOff());
    } catch (err) {
      toast({ key: "push", tone: "danger", text: err instanceof DOMException ? t("push.failed") : explain(err, t) });
    }
    setBusy(false);
  }

  const possible = state === "on" || state === "off";
  return (
    <Section title={t("push.title")} lead={state && !possible ? t("push." + state) : t("push.lead")}>
      {possible && (
        <Switch
          label={t("push.here")}
          checked={state === "on"}
          disabled={busy}
          onChange={(event) => void change(event.target.checked)}
        />
      )}
    </Section>
  );
}

function QuietHours() {
  const { t, i18n } = useTranslation("account");
  const { enabled, from, to } = useWishes().notifications.quiet_hours;
  const [step, saving] = useSaving();
  const { data: me } = useQuery(profile);
  const hours = span(from, to);
  return (
    <Section title={t("quiet.title")} lead={t("quiet.lead")} saving={step}>
      <Switch
        label={t("quiet.enabled")}
        checked={enabled}
        onChange={(event) => saving(setWish({ notifications: { quiet_hours: { enabled: event.target.checked } } }))}
      />
      {enabled && (
        <>
          <div className="mt-3 grid max-w-80 grid-cols-2 gap-3">
            {(["from", "to"] as const).map((end) => (
              <Clock
                key={end}
                label={t("quiet." + end)}
                value={end === "from" ? from : to}
                onChange={(clock) => saving(setWish({ notifications: { quiet_hours: { [end]: clock } } }))}
              />
            ))}
          </div>
          <p className="mt-3 text-soft" role="status">
            {!hours
              ? t("quiet.never")
              : t(hours.overnight ? "quiet.overnight" : "quiet.day", { from, to, length: length(hours.minutes, i18n.language) })}
          </p>
          {me && (
            <p className="mt-1 text-sm text-soft">
              {t("quiet.zone", { zone: me.timezone || "UTC" })}{" "}
              <Link href="/account/profile" className="text-accent underline">
                {t("quiet.change_zone")}
              </Link>
            </p>
          )}
        </>
      )}
    </Section>
  );
}

/** A time of the day. While it is typed there may be none, and the last one stays. */
function Clock({ label, value, onChange }: { label: string; value: string; onChange: (clock: string) => void }) {
  const [typed, setTyped] = useState<string>();
  return (
    <TextField
      type="time"
      label={label}
      value={typed ?? value}
      onChange={(event) => {
        setTyped(event.target.value);
        if (event.target.value) onChange(event.target.value);
      }}
      onBlur={() => setTyped(undefined)}
    />
  );
}

/** "9 hours 30 minutes" */
function length(minutes: number, language: string): string {
  const of = (value: number, unit: "hour" | "minute") =>
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(value);
  const parts = [minutes >= 60 && of(Math.trunc(minutes / 60), "hour"), minutes % 60 > 0 && of(minutes % 60, "minute")];
  return parts.filter(Boolean).join(" ");
}

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Monitor, Smartphone } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, data, type Schemas } from "@/api/client";
import { Problem } from "@/api/problem";
import { session as login, type User } from "@/api/session";
import { useEntries } from "@/live/react";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { full, relative, useNow } from "@/ui/time";
import { toast } from "@/ui/toast";
import { useLogOut } from "@/workspace/logout";
import { deviceOf } from "../device";
import { Load } from "../load";
import { sessions } from "../queries";
import { Section } from "../section";

type Session = Schemas["SessionInfo"];

/** Ends sessions: at once in sight, and back there if the server could not. */
function useEnd() {
  const { t } = useTranslation("account");
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (session?: Session) => {
      if (!session) return data(api.POST("/v1/auth/logout", { params: { query: { scope: "others" } } }));
      try {
        await data(api.DELETE("/v1/auth/sessions/{id}", { params: { path: { id: session.id } } }));
      } catch (err) {
        if (!(err instanceof Problem && err.status === 404)) throw err;
      }
    },
    onMutate: async (session) => {
      await queries.cancelQueries(sessions);
      const before = queries.getQueryData(sessions.queryKey);
      queries.setQueryData(sessions.queryKey, (all) => all?.filter((s) => s.current || (session && s.id !== session.id)));
      return before;
    },
    onError: (err, _, before) => {
      queries.setQueryData(sessions.queryKey, before);
      toast({ text: explain(err, t), tone: "danger" });
    },
    onSuccess: (_, session) => toast({ text: t(session ? "sessions.ended" : "sessions.others_ended") }),
    onSettled: () => queries.invalidateQueries(sessions),
  });
}

export function Sessions() {
  const { t } = useTranslation("account");
  const query = useQuery(sessions);
  const end = useEnd();
  const queries = useQueryClient();
  // A login elsewhere is told of, and so is a session that was ended there.
  useEntries(({ type }) => {
    if (type === "notification" || type === "session.ended") void queries.invalidateQueries(sessions);
  });
  const others = query.data?.some((s) => !s.current);
  return (
    <>
      <Section title={t("sessions.title")} lead={t("sessions.lead")}>
        <Load query={query}>
          {(all) => (
            <ul className="divide-y divide-line">
              {[...all].sort((a, b) => Number(b.current) - Number(a.current)).map((session) => (
                <Row key={session.id} session={session} onEnd={() => end.mutate(session)} />
              ))}
            </ul>
          )}
        </Load>
      </Section>
      <Section title={t("sessions.everywhere")} lead={t("sessions.everywhere_lead")}>
        <div className="flex flex-wrap gap-2">
          {others && <Button onClick={() => end.mutate(undefined)}>{t("sessions.end_others")}</Button>}
          {login.state.status === "in" && <Everywhere user={login.state.user} />}
        </div>
      </Section>
    </>
  );
}

function Everywhere({ user }: { user: User }) {
  const { t } = useTranslation("account");
  const { logOut, dialog } = useLogOut(user);
  return (
    <>
      <Button className="text-danger" onClick={() => logOut("all")}>
        {t("sessions.end_all")}
      </Button>
      {dialog}
    </>
  );
}

function Row({ session, onEnd }: { session: Session; onEnd: () => void }) {
  const { t, i18n } = useTranslation("account");
  const now = useNow();
  const { browser, system, phone } = deviceOf(session.device);
  const name =
    browser && system ? t("sessions.device", { browser, system }) : (browser ?? system ?? t("sessions.unknown"));
  const Icon = phone ? Smartphone : Monitor;
  return (
    <li className="flex items-start gap-3 py-3 first:pt-0 last:pb-0">
      <Icon aria-hidden className="mt-0.5 size-5 shrink-0 text-soft" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 font-medium" title={session.device}>
          {name}
          {session.current && (
            <span className="rounded-full bg-accent-soft px-2 text-sm font-medium text-accent">{t("sessions.this")}</span>
          )}
        </p>
        <p className="text-sm text-soft">
          {t("sessions.address", { ip: session.ip })}
          {" · "}
          <time dateTime={session.last_seen_at} title={full(session.last_seen_at, i18n.language)}>
            {t("sessions.seen", { when: relative(session.last_seen_at, now, i18n.language) })}
          </time>
        </p>
        <p className="text-sm text-soft">
          <time dateTime={session.created_at}>
            {t("sessions.began", { when: full(session.created_at, i18n.language) })}
          </time>
        </p>
      </div>
      {!session.current && (
        <Button aria-label={t("sessions.end_this", { name })} onClick={onEnd}>
          {t("sessions.end")}
        </Button>
      )}
    </li>
  );
}

import { BellOff, CheckCheck } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { Button, IconButton } from "@/ui/button";
import { explain } from "@/ui/explain";
import { Empty, Skeleton } from "@/ui/state";
import { useNow } from "@/ui/time";
import { useActions } from "./actions";
import { Item } from "./item";
import { useInbox, useInboxState } from "./react";
import { extentOf, listOf } from "./store";

const view = { status: "all" } as const;

/** The latest notifications, for the bell. */
export default function Latest({ onLeave }: { onLeave: () => void }) {
  const { t } = useTranslation("inbox");
  const inbox = useInbox();
  const state = useInboxState();
  const actions = useActions();
  const now = useNow();
  const list = listOf(state, view).slice(0, 15);
  const { error, loading } = extentOf(state, view);
  const newest = list[0];
  useEffect(() => inbox.retry(), [inbox]);
  return (
    <>
      <div className="flex items-center justify-between gap-2 border-b border-line py-1 pr-1 pl-4">
        <h2 className="font-semibold">{t("title")}</h2>
        <IconButton
          label={t("read_all")}
          disabled={state.unread === 0 || !newest}
          onClick={() => newest && actions.readAll(newest.seq)}
        >
          <CheckCheck />
        </IconButton>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto">
        {newest ? (
          <ul className="divide-y divide-line">
            {list.map((n) => (
              <Item key={n.id} notice={n} now={now} brief onOpen={onLeave} />
            ))}
          </ul>
        ) : error ? (
          <Empty
            icon={<BellOff />}
            title={t("unread_error")}
            action={<Button onClick={() => void inbox.load(view)}>{t("common:retry")}</Button>}
          >
            {explain(error, t)}
          </Empty>
        ) : loading ? (
          <Waiting />
        ) : (
          <Empty icon={<BellOff />} title={t("empty.all.title")}>
            {t("empty.all.text")}
          </Empty>
        )}
      </div>
      <div className="border-t border-line p-1">
        <Link
          href="/inbox"
          onClick={onLeave}
          className="flex min-h-10 items-center justify-center rounded-lg font-medium text-accent hover:bg-sunken"
        >
          {t("see_all")}
        </Link>
      </div>
    </>
  );
}

function Waiting() {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")} className="flex flex-col gap-4 p-4">
      {["w-3/4", "w-1/2", "w-2/3"].map((width) => (
        <Skeleton key={width} className={"h-4 " + width} />
      ))}
    </div>
  );
}

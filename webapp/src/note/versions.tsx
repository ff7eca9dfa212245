import { History } from "lucide-react";
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "@/api/problem";
import { session } from "@/api/session";
import { useReplica, useSync } from "@/replica/react";
import type { LocalNote } from "@/replica/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { explain } from "@/ui/explain";
import { Empty } from "@/ui/state";
import { useNow } from "@/ui/time";
import { toast } from "@/ui/toast";
import { useAnswer } from "./answer";
import { Difference } from "./compare";
import { Missed, Waiting } from "./missed";
import { spoken } from "./reminder";
import { restore, type Revision, revision, revisionsOf, sharesOf } from "./server";

interface Props {
  note: LocalNote;
  onClose: () => void;
}

/** What a note was before, how that differs, and the way back. */
export default function Versions({ note, onClose }: Props) {
  const { t } = useTranslation("note");
  return (
    <Dialog open onClose={onClose} wide title={t("versions.title")} description={t("versions.text")}>
      <List note={note} onClose={onClose} />
    </Dialog>
  );
}

interface Listed {
  revisions: readonly Revision[];
  /** The names of those whom the note is shared with, as far as the reader may know them. */
  names: ReadonlyMap<string, string>;
}

async function listed(id: string, signal: AbortSignal): Promise<Listed> {
  const [revisions, shares] = await Promise.all([revisionsOf(id, signal), sharesOf(id, signal).catch(() => [])]);
  return { revisions, names: new Map(shares.map(({ user }) => [user.id, user.name || user.login])) };
}

function List({ note, onClose }: { note: LocalNote; onClose: () => void }) {
  const { t } = useTranslation("note");
  const { online } = useSync();
  const { id } = note;
  const ask = useCallback((signal: AbortSignal) => listed(id, signal), [id]);
  const { value, error, again } = useAnswer(ask, online);
  const [chosen, setChosen] = useState<number>();

  const none = <Empty icon={<History />} title={t("versions.none")}>{t("versions.noneText")}</Empty>;
  if (note.version === 0) return none;
  if (error !== undefined) return <Missed onRetry={again}>{explain(error, t)}</Missed>;
  if (!value) return <Waiting />;
  const { revisions, names } = value;
  const index = Math.max(0, revisions.findIndex((r) => r.rev === chosen));
  const shown = revisions[index];
  if (!shown) return none;
  return (
    <div className="grid gap-4 pb-5 sm:grid-cols-[15rem_1fr] sm:gap-6">
      <ul aria-label={t("versions.label")} className="overflow-y-auto max-sm:max-h-44 sm:max-h-[70dvh]">
        {revisions.map((r) => (
          <li key={r.rev}>
            <Choice revision={r} names={names} current={r === shown} onChoose={() => setChosen(r.rev)} />
          </li>
        ))}
      </ul>
      <Shown key={shown.rev} note={note} rev={shown.rev} before={revisions[index + 1]?.rev} onClose={onClose} />
    </div>
  );
}

interface ChoiceProps {
  revision: Revision;
  names: Listed["names"];
  current: boolean;
  onChoose: () => void;
}

function Choice({ revision: r, names, current, onChoose }: ChoiceProps) {
  const { t, i18n } = useTranslation("note");
  const now = useNow();
  const { state } = session;
  const self = state.status === "in" && state.user.id === r.by;
  const by = self ? t("versions.you") : ((r.by && names.get(r.by)) ?? t("versions.other"));
  return (
    <button
      type="button"
      aria-current={current || undefined}
      onClick={onChoose}
      className="w-full rounded-lg border-l-3 border-transparent px-3 py-2 text-left hover:bg-sunken aria-current:border-accent aria-current:bg-sunken"
    >
      <time dateTime={r.updated_at} className="block font-medium first-letter:uppercase">
        {spoken(r.updated_at, now, i18n.language)}
      </time>
      <span className="block truncate text-sm text-soft">{by}</span>
    </button>
  );
}

interface ShownProps {
  note: LocalNote;
  rev: number;
  /** The revision before it. */
  before: number | undefined;
  onClose: () => void;
}

function Shown({ note, rev, before, onClose }: ShownProps) {
  const { t } = useTranslation("note");
  const [against, setAgainst] = useState<"now" | "before">("now");
  const { id } = note;
  const ask = useCallback(
    async (signal: AbortSignal) => {
      const nothing = { title: "", body: "", tags: [] };
      const [was, earlier] = await Promise.all([
        revision(id, rev, signal).then(textOf),
        before === undefined ? nothing : revision(id, before, signal).then(textOf),
      ]);
      return { was, earlier };
    },
    [id, rev, before],
  );
  const { value, error, again } = useAnswer(ask);
  if (error !== undefined) return <Missed onRetry={again}>{explain(error, t)}</Missed>;
  if (!value) return <Waiting />;
  const { was, earlier } = value;
  const from: Text = against === "now" ? was : earlier;
  const to: Text = against === "now" ? note : was;
  const same = from.title === to.title && from.body === to.body && tagged(from) === tagged(to);
  return (
    <section aria-label={t("versions.shown")} className="flex min-w-0 flex-col gap-3">
      <div className="flex flex-wrap items-end justify-between gap-3">
        <Against value={against} onChange={setAgainst} />
        <Restore note={note} rev={rev} onClose={onClose} />
      </div>
      <div className="max-h-[60dvh] overflow-y-auto rounded-lg border border-line bg-page py-3" tabIndex={-1}>
        {same ? (
          <p className="px-3 text-soft">{t(against === "now" ? "versions.sameNow" : "versions.sameBefore")}</p>
        ) : (
          <>
            {(from.title || to.title) && (
              <div className="pb-2 text-lg font-semibold">
                <Difference before={from.title} after={to.title} />
              </div>
            )}
            {tagged(from) !== tagged(to) && (
              <div className="pb-2 text-sm">
                <Difference before={tagged(from)} after={tagged(to)} />
              </div>
            )}
            <Difference before={from.body} after={to.body} />
          </>
        )}
      </div>
    </section>
  );
}

type Text = Pick<LocalNote, "title" | "body" | "tags">;

const textOf = ({ title, body, tags }: Revision): Text => ({ title, body: body ?? "", tags });

const tagged = ({ tags }: Text) => tags.map((tag) => "#" + tag).join("  ");

function Against({ value, onChange }: { value: "now" | "before"; onChange: (value: "now" | "before") => void }) {
  const { t } = useTranslation("note");
  return (
    <fieldset className="flex rounded-lg border border-line-strong p-0.5">
      <legend className="sr-only">{t("versions.against")}</legend>
      {(["now", "before"] as const).map((which) => (
        <label
          key={which}
          className="flex min-h-9 cursor-pointer items-center rounded-md px-3 text-sm has-checked:bg-accent-soft has-checked:font-medium has-focus-visible:outline-2 has-focus-visible:outline-accent"
        >
          <input
            type="radio"
            name="against"
            checked={value === which}
            onChange={() => onChange(which)}
            className="sr-only"
          />
          {t("versions.against_" + which)}
        </label>
      ))}
    </fieldset>
  );
}

function Restore({ note, rev, onClose }: { note: LocalNote; rev: number; onClose: () => void }) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const [busy, setBusy] = useState(false);
  if (note.role === "viewer") return null;
  // What is not saved would be missing from the earlier versions.
  if (note.saving !== "saved" && !busy) return <p className="text-sm text-soft">{t("versions.unsaved")}</p>;

  const run = async () => {
    setBusy(true);
    const { title, body, tags } = note;
    try {
      await restore(replica, note.id, rev, note.version);
      onClose();
      toast({
        text: t("versions.restored"),
        action: { label: t("common:undo"), run: () => replica.change(note.id, { title, body, tags }) },
        key: "restored",
      });
    } catch (err) {
      replica.pull();
      const stale = err instanceof Problem && err.status === 412;
      toast({ text: stale ? t("versions.stale") : explain(err, t), tone: "danger", key: "restored" });
      setBusy(false);
    }
  };
  return (
    <Button look="primary" busy={busy} onClick={() => void run()}>
      {t("versions.restore")}
    </Button>
  );
}

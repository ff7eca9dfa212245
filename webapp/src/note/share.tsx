import { UserMinus } from "lucide-react";
import { type FormEvent, useCallback, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { TFunction } from "i18next";
import { Problem } from "@/api/problem";
import { useReplica, useSync } from "@/replica/react";
import type { LocalNote } from "@/replica/types";
import { Button, IconButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { SelectField, TextField } from "@/ui/field";
import { explain } from "@/ui/explain";
import { toast } from "@/ui/toast";
import { useAnswer } from "./answer";
import { Missed, Waiting } from "./missed";
import { type Share, share, type ShareRole, sharesOf, unshare } from "./server";

interface Props {
  note: LocalNote;
  onClose: () => void;
  /** Called when one has left another's note. */
  onLeft: () => void;
}

/** With whom a note is shared; who does not own it can leave it. */
export function Sharing({ note, onClose, onLeft }: Props) {
  const { t } = useTranslation("note");
  const title = note.title || t("untitled");
  const own = note.role === "owner";
  return (
    <Dialog
      open
      onClose={onClose}
      title={t(own ? "share.title" : "share.titleTheirs", { title })}
      description={own ? t("share.text") : t("share.as_" + note.role)}
    >
      {own ? <People note={note} /> : <Leave note={note} onClose={onClose} onLeft={onLeft} />}
    </Dialog>
  );
}

const told = ["unknown_user", "is_owner", "shares_full", "note_trashed", "note_not_found"];

/** Why something with shares failed, for people. */
function why(err: unknown, t: TFunction): string {
  if (err instanceof Problem) {
    const code = err.fields[0]?.code ?? err.code;
    if (told.includes(code)) return t("share." + code);
  }
  return explain(err, t);
}

function People({ note: { id, version } }: { note: LocalNote }) {
  const { t } = useTranslation("note");
  const { online } = useSync();
  const there = version > 0;
  const ask = useCallback(async (signal: AbortSignal) => (there ? sharesOf(id, signal) : undefined), [id, there]);
  const { value: shares, error, again } = useAnswer(ask, online);
  if (!there) return <p className="pb-5 text-soft">{t("share.unsent")}</p>;
  if (error !== undefined) return <Missed onRetry={again}>{why(error, t)}</Missed>;
  if (!shares) return <Waiting />;
  return (
    <div className="flex flex-col gap-5 pb-5">
      <Add id={id} onAdded={again} />
      {shares.length === 0 ? (
        <p className="text-soft">{t("share.nobody")}</p>
      ) : (
        <ul aria-label={t("share.people")} className="divide-y divide-line">
          {shares.map((s) => (
            <Person key={s.id} share={s} onChanged={again} />
          ))}
        </ul>
      )}
    </div>
  );
}

const roles: readonly ShareRole[] = ["viewer", "editor"];

function Add({ id, onAdded }: { id: string; onAdded: () => void }) {
  const { t } = useTranslation("note");
  const [user, setUser] = useState("");
  const [role, setRole] = useState<ShareRole>("viewer");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const wanted = user.trim();
    setError(wanted ? undefined : t("share.who"));
    if (!wanted) return field.current?.focus();
    setBusy(true);
    try {
      const made = await share(id, wanted, role);
      setUser("");
      toast({ text: t("share.done", { name: made.user.name || made.user.login }), key: "share" });
      onAdded();
    } catch (err) {
      setError(why(err, t));
    } finally {
      setBusy(false);
    }
    field.current?.focus();
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate className="flex flex-wrap items-end gap-3">
      <div className="basis-full">
        <TextField
          ref={field}
          // A dialog's first field has the focus; its close button, which comes first, should not.
          // eslint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
          label={t("share.user")}
          error={error}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={320}
          value={user}
          onChange={({ target }) => {
            setUser(target.value);
            setError(undefined);
          }}
        />
      </div>
      <div className="min-w-32 flex-1">
        <SelectField label={t("share.role")} value={role} onChange={({ target }) => setRole(target.value as ShareRole)}>
          {roles.map((r) => (
            <option key={r} value={r}>
              {t("share." + r)}
            </option>
          ))}
        </SelectField>
      </div>
      <Button look="primary" type="submit" busy={busy} className="min-w-32">
        {t("share.add")}
      </Button>
    </form>
  );
}

function Person({ share: s, onChanged }: { share: Share; onChanged: () => void }) {
  const { t } = useTranslation("note");
  const [busy, setBusy] = useState(false);
  const name = s.user.name || s.user.login;
  const run = async (work: Promise<unknown>) => {
    setBusy(true);
    try {
      await work;
      onChanged();
    } catch (err) {
      toast({ text: why(err, t), tone: "danger", key: "share" });
    } finally {
      setBusy(false);
    }
  };
  return (
    <li className="flex items-center gap-3 py-2" aria-busy={busy}>
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{name}</p>
        {s.user.login !== name && <p className="truncate text-sm text-soft">{s.user.login}</p>}
      </div>
      <select
        aria-label={t("share.roleOf", { name })}
        value={s.role}
        disabled={busy}
        onChange={({ target }) => void run(share(s.note_id, s.user.login, target.value as ShareRole))}
        className="min-h-10 rounded-lg border border-line-strong bg-raised px-2 disabled:opacity-60"
      >
        {roles.map((r) => (
          <option key={r} value={r}>
            {t("share." + r)}
          </option>
        ))}
      </select>
      <IconButton label={t("share.remove", { name })} disabled={busy} onClick={() => void run(unshare(s))}>
        <UserMinus />
      </IconButton>
    </li>
  );
}

/** How one comes to be rid of another's note. */
function Leave({ note, onClose, onLeft }: { note: LocalNote; onClose: () => void; onLeft: () => void }) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const leave = async () => {
    setBusy(true);
    setError(undefined);
    try {
      // To who does not own the note, its shares are their own.
      for (const s of await sharesOf(note.id, AbortSignal.timeout(10_000))) await unshare(s);
      replica.pull();
      onLeft();
      toast({ text: t("share.left", { title: note.title || t("untitled") }) });
    } catch (err) {
      setError(why(err, t));
      setBusy(false);
    }
  };
  return (
    <div className="flex flex-col gap-4 pb-5">
      <p>{t("share.leaveText")}</p>
      {error && (
        <p role="alert" className="text-danger">
          {error}
        </p>
      )}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t("common:cancel")}</Button>
        <Button look="danger" busy={busy} onClick={() => void leave()}>
          {t("share.leave")}
        </Button>
      </div>
    </div>
  );
}

import { Command } from "cmdk";
import { FilePlus, FileText, Search, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useNotes, useReplica } from "@/replica/react";
import { search } from "@/replica/search";
import type { LocalNote } from "@/replica/types";
import { IconButton } from "@/ui/button";
import { focusBack } from "@/ui/focus";
import { homeOf } from "@/workspace/lists";
import { pathOf } from "@/workspace/place";
import { gist } from "@/workspace/plain";
import { useRegistered } from "./commands";
import { Keys } from "./kbd";
import { keyOf } from "./keys";
import { rank, type Ranked } from "./rank";

const atMost = 8;

interface Props {
  open: boolean;
  onClose: () => void;
}

/** All that can be done now, and every note, found as one types. */
export default function Palette({ open, onClose }: Props) {
  const { t } = useTranslation("palette");
  const chosen = useRef<() => void>(undefined);

  return (
    <Dialog.Root open={open} onOpenChange={(o) => !o && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/40" />
        <Dialog.Content
          aria-describedby={undefined}
          // What was chosen begins where the focus was, so that it may take it elsewhere.
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            focusBack();
            chosen.current?.();
            chosen.current = undefined;
          }}
          onKeyDown={(event) => {
            if (keyOf(event.nativeEvent) !== "mod+k") return;
            event.preventDefault();
            onClose();
          }}
          className="fixed inset-x-2 top-2 z-50 mx-auto flex max-h-[calc(100dvh-1rem)] max-w-xl flex-col overflow-hidden rounded-2xl border border-line bg-surface shadow-raised sm:top-[12dvh] sm:max-h-[70dvh]"
        >
          <Dialog.Title className="sr-only">{t("title")}</Dialog.Title>
          <Choices
            onChoose={(run) => {
              chosen.current = run;
              onClose();
            }}
          />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

interface Choice {
  id: string;
  label: string;
  icon?: ReactNode;
  keys?: string | undefined;
  run: () => void;
}

interface Section {
  id: string;
  choices: readonly Choice[];
}

function Choices({ onChoose }: { onChoose: (run: () => void) => void }) {
  const { t } = useTranslation("palette");
  const [typed, setTyped] = useState("");
  // Not deferred: Enter is for what was typed, not for what was shown before.
  const query = typed.trim();
  const sections = useSections(query);
  const first = sections[0]?.choices[0]?.id ?? "";
  // A choice holds for the query that it was made of.
  const [at, setAt] = useState({ query: "", id: "" });
  const all = sections.flatMap((s) => s.choices);
  const value = at.query === query && all.some((c) => c.id === at.id) ? at.id : first;

  return (
    <Command
      label={t("label")}
      shouldFilter={false}
      vimBindings={false}
      loop
      value={value}
      onValueChange={(id) => setAt({ query, id })}
      className="flex min-h-0 flex-col"
    >
      <div className="flex items-center gap-2 border-b border-line pr-1 pl-4">
        <Search aria-hidden className="size-4 shrink-0 text-soft" />
        <Command.Input
          value={typed}
          onValueChange={setTyped}
          placeholder={t("label")}
          maxLength={200}
          // These move in the text, as in every other field.
          onKeyDown={(e) => (e.key === "Home" || e.key === "End") && e.stopPropagation()}
          className="min-h-13 min-w-0 flex-1 bg-transparent text-base outline-none placeholder:text-soft"
        />
        <Dialog.Close asChild>
          <IconButton label={t("common:close")}>
            <X />
          </IconButton>
        </Dialog.Close>
      </div>
      <Command.List label={t("results")} className="min-h-0 scroll-py-2 overflow-y-auto overscroll-contain p-2">
        {sections.map(({ id, choices }) => (
          <Command.Group
            key={id}
            value={id}
            heading={t("group." + id)}
            className="[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-sm [&_[cmdk-group-heading]]:text-soft"
          >
            {choices.map((choice) => (
              <Command.Item
                key={choice.id}
                value={choice.id}
                onSelect={() => onChoose(choice.run)}
                className="flex min-h-10 cursor-pointer items-center gap-3 rounded-lg px-3 py-1 data-[selected=true]:bg-accent-soft [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-soft"
              >
                {choice.icon}
                <span className="min-w-0 flex-1 truncate">{choice.label}</span>
                {choice.keys && (
                  <span className="pointer-coarse:hidden">
                    <Keys keys={choice.keys} />
                  </span>
                )}
              </Command.Item>
            ))}
          </Command.Group>
        ))}
      </Command.List>
    </Command>
  );
}

/** What there is to choose from, the likeliest first. */
function useSections(query: string): Section[] {
  const { t } = useTranslation("palette");
  const commands = useRegistered();
  const notes = useNotes();
  const replica = useReplica();
  const [, navigate] = useLocation();

  const listed: Section = {
    id: query ? "found" : "recent",
    choices: (query ? found(notes, query) : recent(notes)).slice(0, atMost).map((note) => ({
      id: note.id,
      label: gist(note).title || t("untitled"),
      icon: <FileText aria-hidden />,
      run: () => navigate(`${pathOf(homeOf(note))}/${note.id}`),
    })),
  };
  const ranked = rank(
    commands.filter((c) => c.id !== "app.palette"),
    query,
  );
  // A command may be registered with more than the palette shows.
  const section = (r: Ranked): Section => ({
    id: r.group,
    choices: r.commands.map(({ id, label, keys, run }) => ({ id, label, keys, run })),
  });
  if (!query) {
    const [here, ...rest] = ranked.map(section);
    return [...(here ? [here] : []), listed, ...rest].filter(({ choices }) => choices.length > 0);
  }

  const written: Section = {
    id: "query",
    choices: [
      {
        id: "query.search",
        label: t("search", { query }),
        icon: <Search aria-hidden />,
        run: () => navigate("/notes?q=" + encodeURIComponent(query)),
      },
      {
        id: "query.create",
        label: t("create", { query }),
        icon: <FilePlus aria-hidden />,
        run: () => navigate("/notes/" + replica.create({ title: query }), { state: { fresh: true } }),
      },
    ],
  };
  // Commands that are only just meant stand below the notes that have the words.
  const [clear, vague] = [ranked.filter((r) => r.score >= 0.5), ranked.filter((r) => r.score < 0.5)];
  return [...clear.map(section), listed, ...vague.map(section), written].filter(({ choices }) => choices.length > 0);
}

type Notes = ReadonlyMap<string, LocalNote>;

const found = (notes: Notes, query: string) => search(notes, query).filter((n) => n.status !== "trashed");

const recent = (notes: Notes) =>
  [...notes.values()]
    .filter((n) => n.status === "active")
    .sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1));

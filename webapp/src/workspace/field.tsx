import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { navigate, useSearch } from "wouter/use-browser-location";
import { useCommands } from "@/palette/commands";
import { IconButton } from "@/ui/button";

/** How long one has stopped typing before the address says it: browsers let it be changed only so often. */
const pause = 200;

/** What is sought: the address's ?q=, ahead of it while one types. */
export function useQuery(): [string, (query: string) => void] {
  const told = new URLSearchParams(useSearch()).get("q") ?? "";
  const [query, setQuery] = useState(told);
  const [last, setLast] = useState(told);
  if (told !== last) {
    setLast(told);
    setQuery(told);
  }
  useEffect(() => {
    if (query === told) return;
    const timer = setTimeout(() => {
      const search = query && "?q=" + encodeURIComponent(query);
      navigate(location.pathname + search, { replace: true, state: history.state as unknown });
    }, pause);
    return () => clearTimeout(timer);
  }, [query, told]);
  return [query, setQuery];
}

interface Props {
  query: string;
  onChange: (query: string) => void;
  /** Of the list that is searched. */
  name: string;
  /** The focus is to go on to what was found. */
  onLeave: () => void;
}

export function SearchField({ query, onChange, name, onLeave }: Props) {
  const { t } = useTranslation("notes");
  const field = useRef<HTMLInputElement>(null);
  useCommands([
    {
      id: "notes.search",
      group: "notes",
      label: t("search.command"),
      keys: "/",
      run: () => {
        field.current?.focus();
        field.current?.select();
      },
    },
  ]);
  return (
    <search className="relative min-w-0 flex-1">
      <Search aria-hidden className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-soft" />
      <input
        ref={field}
        type="search"
        enterKeyHint="search"
        autoComplete="off"
        spellCheck={false}
        maxLength={256}
        value={query}
        aria-label={t("search.label", { name })}
        aria-keyshortcuts="/"
        placeholder={t("search.placeholder")}
        onChange={(e) => onChange(e.target.value)}
        onKeyDown={(e) => {
          if (e.nativeEvent.isComposing) return;
          if (e.key === "Escape") {
            e.preventDefault();
            if (query) onChange("");
            else onLeave();
          } else if (e.key === "ArrowDown" || e.key === "Enter") {
            e.preventDefault();
            onLeave();
          }
        }}
        className="h-10 w-full rounded-lg border border-transparent bg-sunken pr-10 pl-9 placeholder:text-soft hover:border-line focus:border-line focus:bg-raised pointer-coarse:text-base [&::-webkit-search-cancel-button]:hidden"
      />
      {query ? (
        <IconButton
          label={t("search.clear")}
          className="absolute top-0 right-0 [&_svg]:size-4"
          onClick={() => {
            onChange("");
            field.current?.focus();
          }}
        >
          <X />
        </IconButton>
      ) : (
        <kbd
          aria-hidden
          className="pointer-events-none absolute top-1/2 right-3 -translate-y-1/2 rounded border border-line px-1.5 font-sans text-xs/5 text-soft pointer-coarse:hidden"
        >
          /
        </kbd>
      )}
    </search>
  );
}

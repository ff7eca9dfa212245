import { UnfoldVertical } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { difference, type Hunk, linesOf, type Part, side, stretches } from "./difference";

interface Texts {
  before: string;
  after: string;
}

/** What became of one text in another, in one column: what was removed, struck through, before what was added. */
export function Difference({ before, after }: Texts) {
  const found = useMemo(() => stretches(difference(before, after)), [before, after]);
  return (
    <div className="break-words whitespace-pre-wrap">
      {found.map(({ hunk, far }, i) => (
        <Folded key={i} hunk={hunk} far={far}>
          <div className={hunk.same ? "px-3" : "border-l-3 border-accent px-3"}>
            <Parts parts={hunk.parts} />
          </div>
        </Folded>
      ))}
    </div>
  );
}

interface SidesProps {
  mine: string;
  theirs: string;
  names: { mine: string; theirs: string };
}

/** Two texts beside each other, one above the other on a phone, with what differs marked. */
export function Sides({ mine, theirs, names }: SidesProps) {
  const found = useMemo(() => stretches(difference(mine, theirs)), [mine, theirs]);
  const column = (hunk: Hunk, kind: "removed" | "added", name: string) => (
    <div className="min-w-0 break-words whitespace-pre-wrap">
      {!hunk.same && <p className="text-xs font-medium text-soft sm:sr-only">{name}</p>}
      <Parts parts={side(hunk, kind)} as="mark" />
    </div>
  );
  return (
    <div className="text-sm">
      {found.map(({ hunk, far }, i) => (
        <Folded key={i} hunk={hunk} far={far}>
          {hunk.same ? (
            <div className="grid gap-x-4 py-1 sm:grid-cols-2">
              <div className="min-w-0 break-words whitespace-pre-wrap text-soft">
                <Parts parts={hunk.parts} />
              </div>
              <div aria-hidden className="min-w-0 break-words whitespace-pre-wrap text-soft max-sm:hidden">
                <Parts parts={hunk.parts} />
              </div>
            </div>
          ) : (
            <div className="grid gap-x-4 gap-y-2 border-l-3 border-warn py-1 pl-2 sm:grid-cols-2">
              {column(hunk, "removed", names.mine)}
              {column(hunk, "added", names.theirs)}
            </div>
          )}
        </Folded>
      ))}
    </div>
  );
}

/** Lines far from a change, behind a button. */
function Folded({ hunk, far, children }: { hunk: Hunk; far: boolean; children: ReactNode }) {
  const { t } = useTranslation("note");
  const [open, setOpen] = useState(false);
  if (!far || open) return children;
  return (
    <Button look="quiet" className="my-1 w-full text-sm text-soft" onClick={() => setOpen(true)}>
      <UnfoldVertical aria-hidden className="size-4" />
      {t("compare.lines", { count: linesOf(hunk) })}
    </Button>
  );
}

/** Stretches of a text; where only one of the texts is there, `as` marks what the other lacks. */
function Parts({ parts, as }: { parts: readonly Part[]; as?: "mark" }) {
  const { t } = useTranslation("note");
  return parts.map(({ kind, text }, i) => {
    if (kind === "same") return <span key={i}>{text}</span>;
    // An empty line that came or went is to be seen, too.
    const shown = text.trim() === "" ? text.replaceAll("\n", "↵\n") : text;
    if (as === "mark") {
      return (
        <mark key={i} className="bg-mark underline decoration-warn decoration-2 underline-offset-3">
          {shown}
        </mark>
      );
    }
    const removed = kind === "removed";
    const Tag = removed ? "del" : "ins";
    return (
      <Tag
        key={i}
        className={
          removed
            ? "rounded-xs bg-danger-soft px-0.5 text-danger decoration-danger"
            : "rounded-xs bg-accent-soft px-0.5 text-ink decoration-accent decoration-2 underline-offset-3"
        }
      >
        <span className="sr-only">{t(removed ? "compare.removed" : "compare.added")} </span>
        {shown}
        <span className="sr-only"> {t("compare.end")} </span>
      </Tag>
    );
  });
}

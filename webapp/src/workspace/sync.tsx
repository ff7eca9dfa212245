import { CircleAlert, CloudCheck, CloudDownload, CloudOff, CloudUpload, GitMerge, HardDrive } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNotes, useSync } from "@/replica/react";
import { Later, preload, SyncPanel } from "./later";
import { type Standing, standing } from "./standing";

const looks: Record<Standing["kind"], { icon: ReactNode; tone: string }> = {
  saved: { icon: <CloudCheck />, tone: "text-soft" },
  fetching: { icon: <CloudDownload />, tone: "text-soft" },
  saving: { icon: <CloudUpload />, tone: "text-soft" },
  offline: { icon: <CloudOff />, tone: "text-soft" },
  offline_kept: { icon: <CloudOff />, tone: "text-warn" },
  kept: { icon: <CloudUpload />, tone: "text-warn" },
  refused: { icon: <CircleAlert />, tone: "text-danger" },
  conflict: { icon: <GitMerge />, tone: "text-warn" },
  unkept: { icon: <HardDrive />, tone: "text-danger" },
};

/** One line that tells where what was written is; a click tells more. */
export function SyncState({ short = false }: { short?: boolean }) {
  const { t } = useTranslation("notes");
  const stands = standing(useSync(), useNotes().values());
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const { icon, tone } = looks[stands.kind];
  const line = t("sync.line." + stands.kind, { count: stands.count });
  // What comes and goes with every word is not read out.
  const calm = stands.kind === "saved" || stands.kind === "saving" || stands.kind === "fetching";
  return (
    <>
      <button
        ref={button}
        type="button"
        title={short ? line : t("sync.more")}
        aria-label={short ? line : undefined}
        aria-haspopup="dialog"
        aria-expanded={open}
        onPointerEnter={preload}
        onClick={() => setOpen(!open)}
        className={`flex min-h-10 items-center gap-2.5 rounded-lg hover:bg-sunken [&_svg]:size-4.5 [&_svg]:shrink-0 ${short ? "min-w-10 justify-center" : "w-full px-3 text-left text-sm"} ${tone}`}
      >
        {icon}
        {!short && <span className="min-w-0 flex-1">{line}</span>}
      </button>
      <span role="status" className="sr-only">
        {calm ? "" : line}
      </span>
      <Later>
        {open && <SyncPanel anchor={button} side={short ? "bottom" : "top"} line={line} onClose={() => setOpen(false)} {...stands} />}
      </Later>
    </>
  );
}

import { CircleAlert, CloudCheck, CloudOff, CloudUpload, GitMerge, HardDrive, type LucideIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Saving } from "@/replica/types";
import type { Meta } from "./meta";

const looks: Record<Saving, { icon: LucideIcon; tone: string }> = {
  saved: { icon: CloudCheck, tone: "text-soft" },
  saving: { icon: CloudUpload, tone: "text-soft" },
  waiting: { icon: CloudOff, tone: "text-warn" },
  conflict: { icon: GitMerge, tone: "text-warn" },
  refused: { icon: CircleAlert, tone: "text-danger" },
  unkept: { icon: HardDrive, tone: "text-danger" },
};

/** Where the note's text is. */
export function SavingState({ note }: { note: Meta }) {
  const { t } = useTranslation("note");
  const { icon: Icon, tone } = looks[note.saving];
  const text = t("saving." + note.saving);
  return (
    <div className={`flex min-w-0 items-center gap-2 px-2 text-sm/tight @max-md:text-xs/tight ${tone}`}>
      <Icon aria-hidden className="size-4.5 shrink-0" />
      <span>{text}</span>
      <Spoken saving={note.saving} text={text} />
    </div>
  );
}

/** How long a state lasts before it is read out, in milliseconds. */
const lasting = 1500;

/** Reads out that something is wrong with saving and that it is not any more, and not every word's way. */
function Spoken({ saving, text }: { saving: Saving; text: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (saving === "saving") return;
    const timer = setTimeout(() => setSaid((before) => (saving === "saved" && !before ? "" : text)), lasting);
    return () => clearTimeout(timer);
  }, [saving, text]);
  return (
    <span role="status" className="sr-only">
      {said}
    </span>
  );
}

import { Check, CloudOff } from "lucide-react";
import { type ReactNode, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { explain } from "@/ui/explain";
import { Spinner } from "@/ui/spinner";
import { toast } from "@/ui/toast";
import { type Outcome, useUnsent } from "./preferences";

type Step = "saving" | Outcome | undefined;

/** Follows changes that are saved by themselves; what is refused is told, and undone by who made it. */
export function useSaving(): [Step, (change: Promise<Outcome>) => void] {
  const { t } = useTranslation();
  const [step, setStep] = useState<Step>();
  const last = useRef<Promise<Outcome>>(undefined);
  const unsent = useUnsent();
  return [
    step === "kept" && !unsent ? "saved" : step,
    (change) => {
      last.current = change;
      setStep("saving");
      const then = (step: Step) => last.current === change && setStep(step);
      change.then(then, (err: unknown) => {
        then(undefined);
        toast({ key: "saving", tone: "danger", text: explain(err, t) });
      });
    },
  ];
}

interface Props {
  title: string;
  lead?: ReactNode;
  /** Where saving stands, for a section that saves by itself. */
  saving?: Step;
  danger?: boolean;
  children?: ReactNode;
}

/** One thing of a page that has several. */
export function Section({ title, lead, saving, danger = false, children }: Props) {
  const id = useId();
  return (
    <section
      aria-labelledby={id}
      className={`rounded-2xl border bg-surface p-5 @xl:p-6 ${danger ? "border-danger/50" : "border-line"}`}
    >
      <div className="flex min-h-7 flex-wrap items-baseline justify-between gap-x-4">
        <h3 id={id} className="text-lg font-semibold">
          {title}
        </h3>
        <Saving step={saving} />
      </div>
      {lead && <div className="mt-1 max-w-prose text-soft">{lead}</div>}
      {children && <div className="mt-4">{children}</div>}
    </section>
  );
}

function Saving({ step }: { step: Step }) {
  const { t } = useTranslation("account");
  return (
    <p role="status" className="flex items-center gap-1.5 text-sm text-soft">
      {step && (
        <>
          {icons[step]}
          {t("saving." + step)}
        </>
      )}
    </p>
  );
}

const icons = {
  saving: <Spinner />,
  saved: <Check aria-hidden className="size-4 text-accent" />,
  kept: <CloudOff aria-hidden className="size-4" />,
};

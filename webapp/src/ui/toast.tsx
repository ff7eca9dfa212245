import { X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "./button";

interface Toast {
  text: string;
  /** What undoes it, or goes there. */
  action?: { label: string; run: () => void };
  tone?: "plain" | "danger";
  /** Another toast of the same key takes its place. */
  key?: string;
}

interface Shown extends Toast {
  id: number;
}

let shown: readonly Shown[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: readonly Shown[]) {
  shown = next;
  for (const listener of listeners) listener();
}

/** Tells something in a corner of the page, for a while. */
export function toast(t: Toast): void {
  const id = ++last;
  set([...shown.filter((s) => t.key === undefined || s.key !== t.key), { ...t, id }].slice(-3));
}

const dismiss = (id: number) => set(shown.filter((s) => s.id !== id));
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Where toasts appear; once in the page. */
export function Toasts() {
  const toasts = useSyncExternalStore(subscribe, () => shown);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-0 bottom-0 z-60 flex flex-col items-center gap-2 p-4 pb-[max(1rem,env(safe-area-inset-bottom))] max-lg:pb-[calc(max(1.25rem,env(safe-area-inset-bottom))+4.25rem)] sm:items-end"
    >
      {toasts.map((t) => (
        <Bread key={t.id} toast={t} />
      ))}
    </div>
  );
}

function Bread({ toast }: { toast: Shown }) {
  const { t } = useTranslation();
  const { id, action } = toast;
  useEffect(() => {
    // Who has to read and decide gets longer (WCAG 2.2, 2.2.1).
    const timer = setTimeout(() => dismiss(id), action ? 10_000 : 5_000);
    return () => clearTimeout(timer);
  }, [id, action]);
  return (
    <div
      className={`pointer-events-auto flex w-full max-w-md items-center gap-2 rounded-xl border py-1 pr-1 pl-4 shadow-raised ${toast.tone === "danger" ? "border-danger bg-danger-soft" : "border-line bg-raised"}`}
    >
      <p className="min-w-0 flex-1 py-1.5 break-words">{toast.text}</p>
      {action && (
        <Button
          look="quiet"
          className="text-accent"
          onClick={() => {
            action.run();
            dismiss(id);
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton label={t("close")} onClick={() => dismiss(id)}>
        <X />
      </IconButton>
    </div>
  );
}

import { Bell as Icon } from "lucide-react";
import { Suspense, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";
import { lazily } from "@/ui/lazily";
import { Spinner } from "@/ui/spinner";
import { useInboxState } from "./react";

const Panel = lazily(() => import("@/ui/panel"));
const Latest = lazily(() => import("./latest"));

/** How many notifications are unread, and the latest of them. */
export function Bell() {
  return (
    <Suspense fallback={<span className="size-10" />}>
      <Loaded />
    </Suspense>
  );
}

function Loaded() {
  const { t } = useTranslation("inbox");
  const { unread } = useInboxState();
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <IconButton
        ref={button}
        label={t("bell", { count: unread })}
        aria-haspopup="dialog"
        aria-expanded={open}
        className="relative"
        onClick={() => setOpen(!open)}
      >
        <Icon />
        {unread > 0 && (
          <span
            aria-hidden
            className="absolute top-0.5 right-0.5 min-w-4.5 rounded-full bg-accent px-1 text-center text-xs leading-4.5 font-semibold text-on-accent"
          >
            {unread > 99 ? "99+" : unread}
          </span>
        )}
      </IconButton>
      {open && (
        <Suspense>
          <Panel
            anchor={button}
            label={t("title")}
            className="flex max-h-[min(36rem,var(--radix-popover-content-available-height))] w-[min(26rem,calc(100vw-1rem))] flex-col overflow-hidden"
            onClose={() => setOpen(false)}
          >
            <Suspense fallback={<Spinner className="m-8 size-6 self-center" />}>
              <Latest onLeave={() => setOpen(false)} />
            </Suspense>
          </Panel>
        </Suspense>
      )}
    </>
  );
}

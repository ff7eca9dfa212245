import { Menu } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Bell } from "@/inbox/bell";
import { IconButton } from "@/ui/button";
import { Later } from "./later";
import { SyncState } from "./sync";

/** The head of a page or a list. Where the sidebar is a drawer it has what must always be in sight. */
export function Bar({ onMenu, children }: { onMenu: (() => void) | undefined; children?: ReactNode }) {
  const { t } = useTranslation("notes");
  return (
    <header className="flex min-h-14 shrink-0 items-center gap-1 px-2 pt-[env(safe-area-inset-top)] lg:pl-5">
      {onMenu && (
        <IconButton label={t("menu")} onClick={onMenu}>
          <Menu />
        </IconButton>
      )}
      <div className="flex min-w-0 flex-1 items-center gap-1">{children}</div>
      {onMenu && (
        <>
          <SyncState short />
          <Later>
            <Bell />
          </Later>
        </>
      )}
    </header>
  );
}

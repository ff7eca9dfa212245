import { Keyboard, LogOut, MonitorOff, UserRound } from "lucide-react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { current } from "@/palette/commands";
import { MenuAt, MenuItem, MenuLine } from "@/ui/menu";
import type { Scope } from "../logout";
import type { MenuProps } from "../opener";

interface Props extends MenuProps {
  onGo: () => void;
  onLogOut: (scope: Scope) => void;
}

export function AccountMenu({ onGo, onLogOut, ...menu }: Props) {
  const { t } = useTranslation("notes");
  return (
    <MenuAt {...menu} label={t("go.account")}>
      <MenuItem
        icon={<UserRound />}
        onSelect={() => {
          onGo();
          navigate("/account");
        }}
      >
        {t("go.account")}
      </MenuItem>
      <MenuItem icon={<Keyboard />} keys="?" onSelect={() => current().find((c) => c.id === "app.help")?.run()}>
        {t("account.keys")}
      </MenuItem>
      <MenuLine />
      <MenuItem icon={<LogOut />} onSelect={() => onLogOut("current")}>
        {t("logout.here")}
      </MenuItem>
      <MenuItem icon={<MonitorOff />} onSelect={() => onLogOut("all")}>
        {t("logout.all")}
      </MenuItem>
    </MenuAt>
  );
}

import { useTranslation } from "react-i18next";
import { setWish, useWishes } from "@/account/preferences";
import { explain } from "@/ui/explain";
import { MenuAt, MenuChoices } from "@/ui/menu";
import { toast } from "@/ui/toast";
import type { Sort } from "../lists";
import type { MenuProps } from "../opener";

const sorts = ["-updated_at", "updated_at", "-created_at", "created_at", "title", "-title"] as const;

export function SortMenu(menu: MenuProps) {
  const { t } = useTranslation("notes");
  const { sort } = useWishes().notes;
  const choose = (sort: Sort) => {
    setWish({ notes: { sort } }).catch((err: unknown) => toast({ text: explain(err, t), tone: "danger" }));
  };
  return (
    <MenuAt {...menu} label={t("sort.label")} align="end">
      <MenuChoices
        label={t("sort.label")}
        value={sort}
        choices={sorts.map((value) => ({ value, label: t("sort." + value.replace("-", "down_")) }))}
        onChoose={choose}
      />
    </MenuAt>
  );
}

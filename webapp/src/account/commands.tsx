import { useTranslation } from "react-i18next";
import { type Language, languages } from "@/i18n";
import { type Command, useCommands } from "@/palette/commands";
import { explain } from "@/ui/explain";
import { toast } from "@/ui/toast";
import { type Patch, setWish, useOwnWishes, useWishes } from "./preferences";

const themes = ["system", "light", "dark"] as const;

/** Lets the theme and the language be changed from the palette. */
export function WishCommands() {
  const { t } = useTranslation();
  const wishes = useWishes();
  const own = useOwnWishes();

  function set(patch: Patch, scope: "account" | "device" = "account") {
    setWish(patch, scope).catch((err: unknown) => toast({ text: explain(err, t), tone: "danger" }));
  }

  useCommands([
    ...themes
      .filter((theme) => theme !== wishes.theme)
      .map(
        (theme): Command => ({
          id: "theme." + theme,
          group: "app",
          label: t("command.theme_" + theme),
          words: t("command.theme_words"),
          // A device that has a theme of its own keeps having one.
          run: () => set({ theme }, own.theme ? "device" : "account"),
        }),
      ),
    ...(Object.keys(languages) as Language[])
      .filter((language) => language !== wishes.language)
      .map(
        (language): Command => ({
          id: "language." + language,
          group: "app",
          label: t("command.language", { language: languages[language] }),
          words: "language język " + languages[language],
          run: () => set({ language }),
        }),
      ),
  ]);
  return null;
}

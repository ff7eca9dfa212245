import type { ComponentProps } from "react";
import { useTranslation } from "react-i18next";
import { TextField } from "@/ui/field";
import { typed } from "./typed";

/** A field for an email address, which begins with the one that was typed at the page before. */
export function EmailField(props: Pick<ComponentProps<typeof TextField>, "ref" | "error">) {
  const { t } = useTranslation("auth");
  return (
    <TextField
      {...props}
      name="email"
      type="email"
      label={t("email")}
      autoComplete="email"
      autoCapitalize="none"
      spellCheck={false}
      maxLength={254}
      defaultValue={typed.address.includes("@") ? typed.address : ""}
    />
  );
}

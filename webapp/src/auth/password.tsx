import { Check, Eye, EyeOff } from "lucide-react";
import { type ComponentProps, type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";
import { TextField } from "@/ui/field";
import { minLength } from "./flaws";

type Props = Omit<ComponentProps<typeof TextField>, "type" | "end">;

/** A field for a password, which can be looked at; it tells when caps lock is on. */
export function PasswordField({ hint, ...rest }: Props) {
  const { t } = useTranslation("auth");
  const [shown, setShown] = useState(false);
  const [caps, setCaps] = useState(false);
  const look = (event: KeyboardEvent) => setCaps(event.getModifierState("CapsLock"));
  return (
    <TextField
      autoCapitalize="none"
      spellCheck={false}
      {...rest}
      type={shown ? "text" : "password"}
      onKeyDown={look}
      onKeyUp={look}
      onBlur={() => setCaps(false)}
      hint={
        (hint ?? caps) && (
          <>
            {caps && (
              <span role="status" className="block text-warn">
                {t("password.caps")}
              </span>
            )}
            {hint}
          </>
        )
      }
      end={
        <IconButton className="size-9" label={t(shown ? "password.hide" : "password.show")} onClick={() => setShown(!shown)}>
          {shown ? <EyeOff /> : <Eye />}
        </IconButton>
      }
    />
  );
}

/** A field for a password to come, with what can be said of it before the server judges. */
export function NewPasswordField(props: Omit<Props, "hint" | "onInput">) {
  const { t } = useTranslation("auth");
  const [length, setLength] = useState(0);
  const missing = minLength - length;
  return (
    <PasswordField
      autoComplete="new-password"
      {...props}
      onInput={(event) => setLength([...event.currentTarget.value].length)}
      hint={
        <>
          <span className={`flex items-center gap-1.5 ${missing > 0 ? "" : "text-accent"}`}>
            {missing <= 0 && <Check aria-hidden className="size-4 shrink-0" />}
            {length === 0 || missing <= 0 ? t("password.length", { count: minLength }) : t("password.missing", { count: missing })}
          </span>
          <span className="block">{t("password.guess")}</span>
        </>
      }
    />
  );
}

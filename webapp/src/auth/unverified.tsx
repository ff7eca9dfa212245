import { X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";
import { Banner } from "@/ui/state";
import { Resend } from "./resend";
import { useUnverified } from "./user";

const storageKey = "trellis.unverified";

/** Asks to verify the address, until that is done or the user has it off for this visit. */
export function Unverified() {
  const { t } = useTranslation();
  const user = useUnverified();
  const [off, setOff] = useState(() => sessionStorage.getItem(storageKey));
  if (!user || off === user.id) return null;
  return (
    <Banner
      action={
        <div className="flex items-center">
          <Resend />
          <IconButton
            label={t("unverified.later")}
            onClick={() => {
              sessionStorage.setItem(storageKey, user.id);
              setOff(user.id);
            }}
          >
            <X />
          </IconButton>
        </div>
      }
    >
      {t("unverified.ask", { email: user.email })}
    </Banner>
  );
}

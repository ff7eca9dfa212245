import { useQueryClient } from "@tanstack/react-query";
import { Copy } from "lucide-react";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, data, type Schemas } from "@/api/client";
import { useForm } from "@/auth/form";
import { PasswordField } from "@/auth/password";
import { Send, Trouble } from "@/auth/trouble";
import { Button, IconButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { TextField } from "@/ui/field";
import { full } from "@/ui/time";
import { toast } from "@/ui/toast";
import { jobs } from "./queries";

/** Asks whether the account is really to go, and has it go. */
export function Delete({ onClose }: { onClose: () => void }) {
  const [erasure, setErasure] = useState<Schemas["AcceptedErasure"]>();
  if (erasure) return <Accepted erasure={erasure} onClose={onClose} />;
  return <Ask onAccepted={setErasure} onClose={onClose} />;
}

function Ask({ onAccepted, onClose }: { onAccepted: (erasure: Schemas["AcceptedErasure"]) => void; onClose: () => void }) {
  const { t } = useTranslation("account");
  const queries = useQueryClient();
  const id = useId();
  const word = t("delete.word");
  const form = useForm({
    fields: ["password", "word"],
    check: (values) => ({
      password: !values.password && "required",
      word: values.word.trim().toLowerCase() !== word && "wrong",
    }),
    about: { wrong_password: "password" },
    send: async ({ password }) => {
      onAccepted(await data(api.DELETE("/v1/account", { body: { password } })));
      void queries.invalidateQueries(jobs);
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("delete.sure")}
      description={t("delete.sure_lead")}
      actions={
        <>
          <Button onClick={onClose}>{t("common:cancel")}</Button>
          <Send of={form} form={id} look="danger">
            {t("delete.send")}
          </Send>
        </>
      }
    >
      <form {...form.props} id={id} className="flex flex-col gap-4 pb-2">
        <Trouble form={form} />
        <PasswordField
          name="password"
          label={t("delete.password")}
          autoComplete="current-password"
          error={form.flaw("password")}
        />
        <TextField
          name="word"
          label={t("delete.type", { word })}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          error={form.flaw("word")}
        />
      </form>
    </Dialog>
  );
}

function Accepted({ erasure, onClose }: { erasure: Schemas["AcceptedErasure"]; onClose: () => void }) {
  const { t, i18n } = useTranslation("account");
  const receipt = `${location.origin}/receipt#token=${erasure.receipt_token}`;
  const copy = () =>
    navigator.clipboard.writeText(receipt).then(
      () => toast({ key: "receipt", text: t("delete.copied") }),
      () => toast({ key: "receipt", tone: "danger", text: t("delete.not_copied") }),
    );
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("delete.accepted")}
      description={t("delete.accepted_lead", { when: full(erasure.erase_at ?? erasure.created_at, i18n.language) })}
      actions={
        <Button look="primary" onClick={onClose}>
          {t("delete.understood")}
        </Button>
      }
    >
      <TextField
        label={t("delete.receipt")}
        hint={t("delete.receipt_hint")}
        readOnly
        value={receipt}
        onFocus={(event) => event.target.select()}
        end={
          <IconButton label={t("delete.copy")} onClick={() => void copy()}>
            <Copy />
          </IconButton>
        }
      />
    </Dialog>
  );
}

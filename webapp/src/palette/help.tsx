import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "@/ui/dialog";
import { Switch } from "@/ui/field";
import { useRegistered } from "./commands";
import { Keys } from "./kbd";
import { singleKeys } from "./keys";
import { rank } from "./rank";

/** What can be done by keys, now and here. */
export default function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation("palette");
  return (
    <Dialog open={open} onClose={onClose} title={t("help.title")} description={t("help.description")}>
      <SingleKeys />
      <Sheet />
    </Dialog>
  );
}

function Sheet() {
  const { t } = useTranslation("palette");
  const groups = rank(
    useRegistered().filter((c) => c.keys),
    "",
  );
  return (
    <div className="pb-4">
      {groups.map(({ group, commands }) => (
        <section key={group} aria-labelledby={"keys-" + group} className="mt-4">
          <h3 id={"keys-" + group} className="text-sm font-medium text-soft">
            {t("group." + group)}
          </h3>
          <dl className="divide-y divide-line">
            {commands.map(({ id, label, keys }) => (
              <div key={id} className="flex items-center justify-between gap-4 py-1.5">
                <dt>{label}</dt>
                <dd>{keys && <Keys keys={keys} />}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  );
}

// Who speaks to the machine, or hits keys by chance, does without keys that are one character.
function SingleKeys() {
  const { t } = useTranslation("palette");
  const [on, setOn] = useState(singleKeys.get);
  return (
    <Switch
      label={t("help.single")}
      checked={on}
      onChange={({ target }) => {
        singleKeys.set(target.checked);
        setOn(target.checked);
      }}
    />
  );
}

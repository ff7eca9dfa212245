import { Monitor, Moon, Sun } from "lucide-react";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { type Language, languages } from "@/i18n";
import { SelectField, Switch } from "@/ui/field";
import { Choice } from "../choice";
import { type Patch, setWish, useOwnWishes, useWishes, type Wishes } from "../preferences";
import { Section, useSaving } from "../section";

export function Preferences() {
  return (
    <>
      <Appearance />
      <Words />
      <Editor />
      <Lists />
    </>
  );
}

const themes = [
  { value: "system", icon: <Monitor /> },
  { value: "light", icon: <Sun /> },
  { value: "dark", icon: <Moon /> },
] as const;
const densities = ["comfortable", "compact"] as const;

function Appearance() {
  const { t } = useTranslation("account");
  const { theme, density } = useWishes();
  const own = useOwnWishes();
  const [step, saving] = useSaving();
  const scope = (here: unknown) => (here === undefined ? "account" : "device");
  return (
    <Section title={t("preferences.appearance")} saving={step}>
      <div className="flex flex-col gap-5">
        <div>
          <Choice
            legend={t("preferences.theme")}
            value={theme}
            options={themes.map((o) => ({ ...o, label: t("preferences.themes." + o.value) }))}
            onChange={(theme) => saving(setWish({ theme }, scope(own.theme)))}
          />
          <Own
            on={own.theme !== undefined}
            of={t("preferences.theme")}
            onChange={(on) => saving(setWish({ theme: on ? theme : null }, "device"))}
          />
        </div>
        <div>
          <Choice
            legend={t("preferences.density")}
            value={density}
            options={densities.map((value) => ({ value, label: t("preferences.densities." + value) }))}
            onChange={(density) => saving(setWish({ density }, scope(own.density)))}
          />
          <Own
            on={own.density !== undefined}
            of={t("preferences.density")}
            onChange={(on) => saving(setWish({ density: on ? density : null }, "device"))}
          />
        </div>
      </div>
    </Section>
  );
}

function Words() {
  const { t } = useTranslation("account");
  const { language } = useWishes();
  const [step, saving] = useSaving();
  return (
    <Section title={t("preferences.language")} lead={t("preferences.language_lead")} saving={step}>
      <Choice
        legend={t("preferences.language")}
        titled
        value={language}
        options={(Object.keys(languages) as Language[]).map((l) => ({ value: l, label: languages[l], lang: l }))}
        onChange={(language) => saving(setWish({ language }))}
      />
    </Section>
  );
}

function Editor() {
  const { t } = useTranslation("account");
  const { editor } = useWishes();
  const own = useOwnWishes().editor !== undefined;
  const [step, saving] = useSaving();
  const id = useId();
  const set = (patch: Patch["editor"] & object) => saving(setWish({ editor: patch }, own ? "device" : "account"));
  return (
    <Section title={t("preferences.editor")} saving={step}>
      <label htmlFor={id} className="text-sm font-medium">
        {t("preferences.font_size")}
      </label>
      <div className="mt-1 flex items-center gap-3">
        <input
          id={id}
          type="range"
          min={12}
          max={24}
          value={editor.font_size}
          aria-valuetext={t("preferences.pixels", { count: editor.font_size })}
          onChange={(event) => set({ font_size: event.target.valueAsNumber })}
          className="h-10 w-full max-w-64 cursor-pointer accent-accent"
        />
        <output htmlFor={id} className="whitespace-nowrap text-soft tabular-nums">
          {t("preferences.pixels", { count: editor.font_size })}
        </output>
      </div>
      <p
        aria-hidden
        className="mb-3 truncate rounded-lg border border-line bg-raised px-3 py-2"
        style={{ fontSize: editor.font_size }}
      >
        {t("preferences.sample")}
      </p>
      <Switch
        label={t("preferences.spellcheck")}
        checked={editor.spellcheck}
        onChange={(event) => set({ spellcheck: event.target.checked })}
      />
      <Switch
        label={t("preferences.line_numbers")}
        checked={editor.line_numbers}
        onChange={(event) => set({ line_numbers: event.target.checked })}
      />
      <Own
        on={own}
        of={t("preferences.editor")}
        onChange={(on) => {
          const mine = on ? editor : { font_size: null, spellcheck: null, line_numbers: null };
          saving(setWish({ editor: mine }, "device"));
        }}
      />
    </Section>
  );
}

const sorts = ["-updated_at", "updated_at", "-created_at", "created_at", "title", "-title"] as const;

function Lists() {
  const { t } = useTranslation("account");
  const { sort } = useWishes().notes;
  const [step, saving] = useSaving();
  return (
    <Section title={t("preferences.lists")} saving={step}>
      <SelectField
        label={t("preferences.sort")}
        value={sort}
        onChange={(event) => saving(setWish({ notes: { sort: event.target.value as Wishes["notes"]["sort"] } }))}
      >
        {sorts.map((value) => (
          <option key={value} value={value}>
            {t("preferences.sorts." + value)}
          </option>
        ))}
      </SelectField>
    </Section>
  );
}

/** Whether something holds on this device only, over what the account says. */
function Own({ on, of, onChange }: { on: boolean; of: string; onChange: (on: boolean) => void }) {
  const { t } = useTranslation("account");
  return (
    <div className="mt-1 w-fit text-soft">
      <Switch
        label={t("preferences.own")}
        aria-label={t("preferences.own_of", { of })}
        checked={on}
        onChange={(event) => onChange(event.target.checked)}
      />
    </div>
  );
}

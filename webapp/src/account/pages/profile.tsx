import { standardSchemaResolver } from "@hookform/resolvers/standard-schema";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useMemo, useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { placed } from "@/auth/flaws";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { SelectField, TextArea, TextField } from "@/ui/field";
import { useNow } from "@/ui/time";
import { toast } from "@/ui/toast";
import { Load } from "../load";
import { Picture } from "../picture";
import { locales, timeIn, zoneHere, zones } from "../places";
import { refreshWishes } from "../preferences";
import { Clash, type Field, fields, lengthOf, maxBio, maxName, said, type Said, saidIn, save } from "../profile";
import { profile } from "../queries";
import { Section } from "../section";

const draft = ["profile", "draft"];

export function ProfilePage() {
  const { t } = useTranslation("account");
  const query = useQuery(profile);
  return (
    <>
      <Section title={t("picture.title")} lead={t("picture.lead")}>
        <Load query={query}>{(base) => <Picture profile={base} />}</Load>
      </Section>
      <Section title={t("profile.title")} lead={t("profile.lead")}>
        <Load query={query}>{(base) => <About base={base} />}</Load>
      </Section>
    </>
  );
}

function About({ base }: { base: Schemas["Profile"] }) {
  const { t } = useTranslation("account");
  const queries = useQueryClient();
  const [clash, setClash] = useState<Clash>();
  const form = useForm<Said>({
    resolver: standardSchemaResolver(said),
    defaultValues: saidIn(base),
    values: saidIn(base),
    resetOptions: { keepDirtyValues: true },
  });
  const { register, control, setError, setValue, formState } = form;
  const { errors, dirtyFields, isDirty, isSubmitting } = formState;

  // Of what was typed nothing is kept then.
  const begin = (from: Schemas["Profile"]) => form.reset(saidIn(from), { keepDirtyValues: false });

  // What was typed is still there when one comes back from another page of the account.
  const keepDraft = useEffectEvent(() => queries.setQueryData(draft, isDirty ? form.getValues() : undefined));
  useEffect(() => {
    const typed = queries.getQueryData<Said>(draft);
    if (typed) for (const field of fields) setValue(field, typed[field], { shouldDirty: true });
    return () => void keepDraft();
  }, [queries, setValue]);

  const submit = form.handleSubmit(async (values) => {
    setClash(undefined);
    const mine = Object.fromEntries(fields.filter((f) => dirtyFields[f]).map((f) => [f, values[f]])) as Partial<Said>;
    try {
      const saved = await save(base, mine);
      queries.setQueryData(profile.queryKey, saved);
      begin(saved);
      toast({ key: "profile", text: t("profile.saved") });
      void refreshWishes();
    } catch (err) {
      if (err instanceof Clash) {
        queries.setQueryData(profile.queryKey, err.current);
        return setClash(err);
      }
      const { flaws, rest } = placed(err, fields);
      for (const [field, flaw] of Object.entries(flaws)) {
        setError(field as Field, { type: "server", message: flaw.code }, { shouldFocus: true });
      }
      if (rest) toast({ key: "profile", tone: "danger", text: explain(err, t) });
    }
  });

  const flaw = (field: Field) => {
    const code = errors[field]?.message;
    return code && t(`profile.flaw.${code}`, { defaultValue: t("profile.flaw.invalid") });
  };
  return (
    <form noValidate onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
      {clash && (
        <div role="alert" className="rounded-lg border border-warn bg-warn-soft px-3 py-2 text-warn">
          {clash.about.map((field) => (
            <p key={field}>
              {t(clash.current[field] ? "profile.clash" : "profile.clash_empty", {
                field: t("profile." + field),
                value: clash.current[field],
              })}
            </p>
          ))}
        </div>
      )}
      <TextField
        label={t("profile.display_name")}
        autoComplete="name"
        error={flaw("display_name")}
        hint={useLeft(control, "display_name", maxName)}
        {...register("display_name")}
      />
      <TextArea
        label={t("profile.bio")}
        rows={4}
        className="max-h-96 field-sizing-content min-h-24"
        error={flaw("bio")}
        hint={useLeft(control, "bio", maxBio)}
        {...register("bio")}
      />
      <Zone control={control} error={flaw("timezone")} register={register} onChoose={(zone) => setValue("timezone", zone, { shouldDirty: true })} />
      <Locale own={base.locale} error={flaw("locale")} register={register} />
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" look="primary" busy={isSubmitting} disabled={!isDirty}>
          {t("common:save")}
        </Button>
        {isDirty && !isSubmitting && (
          <Button look="quiet" onClick={() => begin(base)}>
            {t("profile.discard")}
          </Button>
        )}
      </div>
    </form>
  );
}

type Controls = ReturnType<typeof useForm<Said>>;

/** How many characters are left, when there are not many, or too many. */
function useLeft(control: Controls["control"], name: "display_name" | "bio", max: number): string | undefined {
  const { t } = useTranslation("account");
  const left = max - lengthOf(useWatch({ control, name }));
  if (left > max / 5) return undefined;
  return left < 0 ? t("profile.over", { count: -left }) : t("profile.left", { count: left });
}

interface Choosing {
  register: Controls["register"];
  error: string | undefined;
}

function Zone({ control, register, error, onChoose }: Choosing & { control: Controls["control"]; onChoose: (zone: string) => void }) {
  const { t, i18n } = useTranslation("account");
  const zone = useWatch({ control, name: "timezone" });
  const now = useNow();
  const parts = useMemo(() => zones(zone), [zone]);
  const time = timeIn(zone, now, i18n.language);
  const here = zoneHere();
  return (
    <div>
      <SelectField
        label={t("profile.timezone")}
        hint={time && t("profile.time", { time })}
        error={error}
        {...register("timezone")}
      >
        {!zone && <option value="">{t("profile.no_zone")}</option>}
        {[...parts].map(([part, zones]) => {
          const options = zones.map(({ value, name }) => (
            <option key={value} value={value}>
              {name}
            </option>
          ));
          return part ? (
            <optgroup key={part} label={t("profile.parts." + part, { defaultValue: part })}>
              {options}
            </optgroup>
          ) : (
            options
          );
        })}
      </SelectField>
      {here !== zone && (
        <Button look="quiet" className="mt-1 -ml-4 text-accent" onClick={() => onChoose(here)}>
          {t("profile.zone_here", { zone: here })}
        </Button>
      )}
    </div>
  );
}

function Locale({ own, register, error }: Choosing & { own: string }) {
  const { t, i18n } = useTranslation("account");
  const options = useMemo(() => locales(i18n.language, own), [i18n.language, own]);
  return (
    <SelectField label={t("profile.locale")} hint={t("profile.locale_hint")} error={error} {...register("locale")}>
      <option value="">{t("profile.no_locale")}</option>
      {options.map(({ value, name }) => (
        <option key={value} value={value}>
          {name}
        </option>
      ))}
    </SelectField>
  );
}

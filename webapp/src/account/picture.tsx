import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ImageUp } from "lucide-react";
import { type DragEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, data, type Schemas } from "@/api/client";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { toast } from "@/ui/toast";
import { Avatar } from "./avatar";
import { refreshWishes } from "./preferences";
import { profile as query } from "./queries";
import { put, square } from "./upload";

interface Picked {
  blob: Blob;
  url: string;
}

/** The user's picture, which is replaced by one that is chosen or dropped here. */
export function Picture({ profile }: { profile: Schemas["Profile"] }) {
  const { t } = useTranslation("account");
  const queries = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [picked, setPicked] = useState<Picked>();
  const [share, setShare] = useState(0);
  const [over, setOver] = useState(false);
  useEffect(() => () => URL.revokeObjectURL(picked?.url ?? ""), [picked]);

  const set = useMutation({
    mutationFn: async (blob?: Blob) => {
      if (blob) queries.setQueryData(query.queryKey, (await put("/v1/profile/avatar", blob, setShare)) as Schemas["Profile"]);
      else await data(api.DELETE("/v1/profile/avatar"));
    },
    onSuccess: (_, blob) => {
      setPicked(undefined);
      toast({ key: "picture", text: t(blob ? "picture.set" : "picture.removed") });
      void queries.invalidateQueries(query);
      void refreshWishes();
    },
    onError: (err) => toast({ key: "picture", tone: "danger", text: explain(err, t) }),
  });

  async function pick(file: File | undefined) {
    if (!file || set.isPending) return;
    try {
      const blob = await square(file);
      setShare(0);
      setPicked({ blob, url: URL.createObjectURL(blob) });
    } catch {
      toast({ key: "picture", tone: "danger", text: t("picture.unreadable") });
    }
  }

  const drop = {
    onDragOver: (event: DragEvent) => {
      event.preventDefault();
      setOver(true);
    },
    onDragLeave: () => setOver(false),
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      setOver(false);
      void pick(event.dataTransfer.files[0]);
    },
  };
  return (
    <div
      {...drop}
      className={`flex flex-wrap items-center gap-x-6 gap-y-4 rounded-xl border border-dashed p-4 ${over ? "border-accent bg-accent-soft" : "border-line"}`}
    >
      {picked ? (
        <img src={picked.url} alt={t("picture.preview")} className="size-24 rounded-full object-cover" />
      ) : (
        <Avatar id={profile.id} name={profile.display_name} picture={profile.avatar_url} size="large" />
      )}
      <div className="min-w-0 flex-1 basis-56">
        <input
          ref={input}
          type="file"
          accept="image/png,image/jpeg,image/webp,image/*"
          className="sr-only"
          tabIndex={-1}
          aria-hidden
          onChange={(event) => {
            void pick(event.target.files?.[0]);
            event.target.value = ""; // so that the same file may be chosen again
          }}
        />
        <div className="flex flex-wrap gap-2">
          {picked ? (
            <>
              <Button look="primary" busy={set.isPending} onClick={() => set.mutate(picked.blob)}>
                {t("picture.use")}
              </Button>
              <Button disabled={set.isPending} onClick={() => setPicked(undefined)}>
                {t("common:cancel")}
              </Button>
            </>
          ) : (
            <>
              <Button onClick={() => input.current?.click()}>
                <ImageUp aria-hidden className="size-4.5" />
                {t("picture.choose")}
              </Button>
              {profile.has_avatar && (
                <Button look="quiet" busy={set.isPending} className="text-danger" onClick={() => set.mutate(undefined)}>
                  {t("picture.remove")}
                </Button>
              )}
            </>
          )}
        </div>
        {set.isPending && picked ? (
          <progress value={share} aria-label={t("picture.sending")} className="mt-3 h-2 w-full max-w-64 accent-accent" />
        ) : (
          <p className="mt-2 text-sm text-soft">{t(picked ? "picture.check" : "picture.limits")}</p>
        )}
      </div>
    </div>
  );
}

import { type ComponentType, Suspense, useEffect, useEffectEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { toast } from "@/ui/toast";
import { current, useCommands } from "./commands";
import { dispatcher, singleKeys } from "./keys";

/** A sheet over the page, loaded when it is first opened. */
type Sheet = ComponentType<{ open: boolean; onClose: () => void }>;

const sheets = {
  palette: () => import("./palette"),
  help: () => import("./help"),
};
type Name = keyof typeof sheets;

/** Makes keys run commands, and has the palette ("app.palette") and the help sheet ("app.help"). */
export function Keyboard() {
  return (
    <Suspense fallback={null}>
      <Sheets />
    </Suspense>
  );
}

function Sheets() {
  const { t } = useTranslation("palette");
  const [open, setOpen] = useState<Name>();
  const [loaded, setLoaded] = useState<Partial<Record<Name, Sheet>>>({});
  const loading = useRef(0);

  const load = async (name: Name) => {
    const { default: sheet } = await sheets[name]();
    setLoaded((l) => (l[name] ? l : { ...l, [name]: sheet }));
  };
  const show = async (name: Name) => {
    if (loaded[name]) return setOpen(name);
    loading.current++;
    try {
      await load(name);
      setOpen(name);
    } catch {
      toast({ text: t("common:problem.unreachable"), tone: "danger", key: "sheet" });
    } finally {
      loading.current--;
    }
  };

  const loadAhead = useEffectEvent(() => void load("palette").catch(() => undefined));
  useEffect(() => {
    // What is typed while a sheet is on its way is meant for it.
    const single = () => loading.current === 0 && singleKeys.get();
    const listen = dispatcher({ commands: current, single });
    // Who holds the first key of "mod+k" will have the palette by the second.
    const ahead = ({ key }: KeyboardEvent) => {
      if (key === "Control" || key === "Meta") loadAhead();
    };
    window.addEventListener("keydown", listen);
    window.addEventListener("keydown", ahead);
    return () => {
      window.removeEventListener("keydown", listen);
      window.removeEventListener("keydown", ahead);
    };
  }, []);

  useCommands([
    { id: "app.palette", group: "app", label: t("open"), keys: "mod+k", run: () => void show("palette") },
    {
      id: "app.help",
      group: "app",
      label: t("help.open"),
      keys: "?",
      words: t("help.words"),
      run: () => void show("help"),
    },
  ]);

  const close = () => setOpen(undefined);
  return (
    <>
      {loaded.palette && <loaded.palette open={open === "palette"} onClose={close} />}
      {loaded.help && <loaded.help open={open === "help"} onClose={close} />}
    </>
  );
}

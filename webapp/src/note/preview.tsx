import { ImageIcon } from "lucide-react";
import { type ComponentProps, createContext, useContext, useDeferredValue } from "react";
import { useTranslation } from "react-i18next";
import Markdown, { type Components, defaultUrlTransform, type ExtraProps } from "react-markdown";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { toggleTask } from "./markdown";

/**
 * What a note's text can become in the page. HTML in it is text and no markup
 * before this; ids are those of footnotes, which have a prefix already.
 */
const schema: typeof defaultSchema = {
  ...defaultSchema,
  clobber: [],
  protocols: { href: ["http", "https", "mailto"], src: ["http", "https", "data"] },
};

const picture = /^data:image\/(png|jpeg|gif|webp);base64,/i;
const urlOf = (url: string, key: string) => (key === "src" && picture.test(url) ? url : defaultUrlTransform(url));

interface Props {
  text: string;
  /** Hears the text with a task ticked; without it tasks can't be. */
  onChange?: (text: string) => void;
}

/** A note's body as it reads. */
export default function Preview({ text, onChange }: Props) {
  const { t } = useTranslation("note");
  const shown = useDeferredValue(text);
  // Places in a text that is not the present one any more mean nothing.
  const tick = onChange && shown === text ? (offset: number) => onChange(toggleTask(text, offset)) : undefined;
  return (
    <div className="note-preview">
      <Tick value={tick}>
        <Markdown
          remarkPlugins={[[remarkGfm, { singleTilde: false }]]}
          rehypePlugins={[[rehypeSanitize, schema]]}
          remarkRehypeOptions={{ footnoteLabel: t("footnotes"), footnoteBackLabel: t("footnoteBack") }}
          urlTransform={urlOf}
          components={components}
        >
          {shown}
        </Markdown>
      </Tick>
    </div>
  );
}

const Tick = createContext<((offset: number) => void) | undefined>(undefined);
/** Where in the text the list item begins that one is in. */
const Start = createContext<number | undefined>(undefined);
const InLink = createContext(false);

type Of<Tag extends keyof React.JSX.IntrinsicElements> = ComponentProps<Tag> & ExtraProps;

/** What is the element's of what a component of Markdown is given. */
function own<P extends ExtraProps>(props: P): P {
  const rest = { ...props };
  delete rest.node;
  return rest;
}

/** The note's title is the page's heading, and those of its body are below it. */
const heading = (level: number) => {
  const Tag = `h${Math.min(level + 1, 6)}` as "h2";
  return function Heading(props: Of<"h2">) {
    return <Tag className={`md-h${level}`} {...own(props)} />;
  };
};

const components: Components = {
  h1: heading(1),
  h2: heading(2),
  h3: heading(3),
  h4: heading(4),
  h5: heading(5),
  h6: heading(6),
  a: Anchor,
  img: Picture,
  li: Item,
  input: Box,
  table: (props) => (
    <div className="table">
      <table {...own(props)} />
    </div>
  ),
};

function Anchor({ children, ...props }: Of<"a">) {
  const within = props.href?.startsWith("#");
  return (
    <InLink value>
      <a {...own(props)} {...(!within && { target: "_blank", rel: "noopener noreferrer" })}>
        {children}
      </a>
    </InLink>
  );
}

/** A picture that is in the text; others the page's policy lets nobody load, and they are links. */
function Picture({ src, alt = "" }: Of<"img">) {
  const inLink = useContext(InLink);
  if (!src || picture.test(src)) return src ? <img src={src} alt={alt} /> : alt;
  const text = (
    <>
      <ImageIcon aria-hidden className="mr-1 inline size-[1em] align-[-0.1em]" />
      {alt || src}
    </>
  );
  if (inLink) return text;
  return (
    <a href={src} target="_blank" rel="noopener noreferrer">
      {text}
    </a>
  );
}

function Item(props: Of<"li">) {
  return (
    <Start value={props.node?.position?.start.offset}>
      <li {...own(props)} />
    </Start>
  );
}

function Box({ checked }: Of<"input">) {
  const { t } = useTranslation("note");
  const tick = useContext(Tick);
  const start = useContext(Start);
  const able = tick && start !== undefined;
  return (
    <input
      type="checkbox"
      aria-label={t("task")}
      checked={checked ?? false}
      disabled={!able}
      onChange={() => able && tick(start)}
    />
  );
}

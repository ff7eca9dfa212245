import { useState } from "react";
import { initials } from "./initials";

const sizes = {
  small: "size-6 text-[0.625rem]",
  medium: "size-9 text-sm",
  large: "size-24 text-3xl",
};

interface Props {
  /** The user's. */
  id: string;
  /** It stands beside the picture, which is decoration then. */
  name: string;
  /** Where the picture is, if that is known: another place whenever it is another. */
  picture?: string | undefined;
  size?: keyof typeof sizes;
}

/** A user's picture; their initials until it is there, and where it can't be had. */
export function Avatar({ id, name, picture = `/v1/profiles/${id}/avatar`, size = "medium" }: Props) {
  const [missing, setMissing] = useState<string>();
  return (
    <span
      aria-hidden
      className={`relative grid shrink-0 place-items-center overflow-hidden rounded-full bg-accent-soft font-medium text-accent select-none ${sizes[size]}`}
    >
      {initials(name)}
      {id && missing !== picture && (
        <img
          key={picture}
          src={picture}
          alt=""
          draggable={false}
          className="absolute inset-0 size-full object-cover"
          onError={() => setMissing(picture)}
        />
      )}
    </span>
  );
}

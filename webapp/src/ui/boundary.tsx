import { CloudOff, TriangleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./button";
import { Absent } from "./lazily";
import { Empty } from "./state";

interface Props {
  /** What is shown; when it is another, what went wrong with the one before counts no more. */
  of?: string | undefined;
  /** What stands in its place; without that it is said that something went wrong. */
  instead?: ReactNode;
  children: ReactNode;
}

interface State {
  /** What was thrown, in a box: anything can be. */
  failed?: { err: unknown } | undefined;
  of: string | undefined;
}

/** Keeps what goes wrong in a pane from taking the others with it. */
export class Boundary extends Component<Props, State> {
  override state: State = { of: this.props.of };

  static getDerivedStateFromError(err: unknown): Partial<State> {
    return { failed: { err } };
  }

  static getDerivedStateFromProps({ of }: Props, state: State): State | null {
    return of === state.of ? null : { failed: undefined, of };
  }

  override render() {
    const { failed } = this.state;
    if (!failed) return this.props.children;
    if (this.props.instead !== undefined) return this.props.instead;
    const absent = failed.err instanceof Absent ? failed.err : undefined;
    const retry = () => {
      absent?.forget();
      this.setState({ failed: undefined });
    };
    return <Failed how={absent ? "absent" : "broken"} onRetry={retry} />;
  }
}

/** A pane that could not be shown. */
function Failed({ how, onRetry }: { how: "absent" | "broken"; onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <div role="alert" className="h-full">
      <Empty
        icon={how === "absent" ? <CloudOff /> : <TriangleAlert />}
        title={t(`failed.${how}.title`)}
        action={
          <div className="flex flex-wrap justify-center gap-2">
            <Button onClick={() => location.reload()}>{t("failed.reload")}</Button>
            <Button look="primary" onClick={onRetry}>
              {t("retry")}
            </Button>
          </div>
        }
      >
        {t(`failed.${how}.text`)}
      </Empty>
    </div>
  );
}

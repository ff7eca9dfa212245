import { TriangleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/state";

interface Props {
  /** What is shown; when it is another, what went wrong with the one before counts no more. */
  of?: string | undefined;
  /** What stands in its place; without that it is said that something went wrong. */
  instead?: ReactNode;
  children: ReactNode;
}

interface State {
  failed: boolean;
  of: string | undefined;
}

/** Keeps what goes wrong in a pane from taking the others with it. */
export class Boundary extends Component<Props, State> {
  override state: State = { failed: false, of: this.props.of };

  static getDerivedStateFromError(): Partial<State> {
    return { failed: true };
  }

  static getDerivedStateFromProps({ of }: Props, state: State): State | null {
    return of === state.of ? null : { failed: false, of };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    if (this.props.instead !== undefined) return this.props.instead;
    return <Failed onRetry={() => this.setState({ failed: false })} />;
  }
}

/** A pane that could not be shown. */
export function Failed({ onRetry }: { onRetry: () => void }) {
  const { t } = useTranslation("notes");
  return (
    <div role="alert" className="h-full">
      <Empty
        icon={<TriangleAlert />}
        title={t("failed.title")}
        action={
          <div className="flex flex-wrap justify-center gap-2">
            <Button onClick={() => location.reload()}>{t("failed.reload")}</Button>
            <Button look="primary" onClick={onRetry}>
              {t("common:retry")}
            </Button>
          </div>
        }
      >
        {t("failed.text")}
      </Empty>
    </div>
  );
}

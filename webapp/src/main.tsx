import "./ui/theme.css";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { startTheme } from "./account/preferences";
import { session } from "./api/session";
import { App } from "./app";
import { start } from "./i18n";
import { prepare } from "./pages";

// The policy lets in no style without the page's nonce; Radix asks for it here.
setNonce(document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "");

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no root");

startTheme();
// The first thing that anything asks of the server; where there is no session to renew, the page knows it.
session.token().catch(() => undefined);
// What can't be had now is said where it is missing.
await Promise.all([start(), prepare(location.pathname, session.state.status).catch(() => undefined)]);
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

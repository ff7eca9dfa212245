import "./ui/theme.css";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { startTheme } from "./account/preferences";
import { App } from "./app";
import { start } from "./i18n";

// The policy lets in no style without the page's nonce; Radix asks for it here.
setNonce(document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "");

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no root");

startTheme();
await start();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

/** What later.tsx loads. */
export { AccountMenu } from "./account-menu";
export { Drawer } from "./drawer";
export { Erase } from "./erase";
export { LogOutDialog } from "./logout-dialog";
export { RowMenu } from "./row-menu";
export { SortMenu } from "./sort-menu";
export { SyncPanel } from "./sync-panel";

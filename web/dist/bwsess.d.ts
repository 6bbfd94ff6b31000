// bwsess.js: the global Bwsess, or what require gives.
import * as nvsess from "./nvsess";

declare const Bwsess: typeof nvsess.Client & Omit<typeof nvsess, "default">;
type Bwsess = nvsess.Client;
export = Bwsess;
export as namespace Bwsess;

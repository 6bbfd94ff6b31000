// nvsess.mjs, for TypeScript's import: all of nvsess.d.ts.
export * from "./nvsess.js";
export { Client as default } from "./nvsess.js";

// The client as a script: one global, Bwsess, which is the class and has what
// the module exports besides.
import * as module from "./index.js";

const { default: Bwsess, ...rest } = module;
Object.assign(Bwsess, rest);
export default Bwsess;

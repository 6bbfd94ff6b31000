     const srv = await require("./srv")();
     var c0 = await require("./iclient")();
     var c1 = await require("./iclient")();
     var c2 = await require("./iclient")();

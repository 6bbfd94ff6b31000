         const srv  = await require("./srv")();
         const ctrl = await require("./iclient")();

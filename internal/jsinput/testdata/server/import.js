      const {Server} = require("nv-session-simple").srv;
      const {Client} = require("nv-session-simple").client;

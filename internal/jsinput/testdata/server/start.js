       const {DFLT_SRV_CFG} = require("nv-session-simple")


       var srv = new Server(DFLT_SRV_CFG)

       fs.unlinkSync("___usock___");
       await srv.start("___usock___");

       srv.enable_forward();

       /*
          in Forwarding  Mode : NO need handler

          //DISABLE Forward
          srv.disable_forward();
          
          // AND  must regis handler , default handler is a empty function

          srv.regis_$json_handle$(

             async (recved_json,conn,sess,self) => {
                console.log('Received JSON Message of ',recved_json);
                //conn.jsend(...J....);
                //  OR
                //await conn.ajsend(...J...)
            }
        )

       */

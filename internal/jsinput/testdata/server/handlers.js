        const {Server} = require("nv-session-simple").srv;

        const srv = new Server();
        await srv.start(18888);
        ////----write your handler, 4 kind handler suppoted:
        ////     1. bin  
        ////     2. string  
        ////     3. json  
        ////     4. json-message-must-be-replied: creq_handle, this is for debug-using  AND manual-mode , normally USELESS


        srv.regis_$bin_handle$(
            async (length,data,conn,sess,self) => {
                console.log({
                    length,
                    data
                })
            }
        );
        srv.regis_$str_handle$(
            async (s,conn,sess,self) => {
                console.log('received string',s)
            }
        );
        srv.regis_$json_handle$(
            async (j,conn,sess,self) => {
                console.dir(j,{depth:null})
            }
        );
        srv.regis_$creq_handle$(
            async (j,conn,sess,self) => {
                console.log(`received must reply client req:`,j);
                await conn.send_jrr_sres(
                    {"myreply":"I got IT"},   // any json , must be json
                    j.___id___                //the second param MUST BE j.___id___
                )
            }
        );

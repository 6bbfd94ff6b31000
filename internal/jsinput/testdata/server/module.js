              const fs = require('fs');
              const chown_with_name = require("nv-cli-user").chown_with_name;
              try {fs.unlinkSync("/opt/JS/nvsess/sess-isrv/___usock___")} catch(err) {};
              const {Server} = require("nv-session-simple").srv;
              const srv = new Server();



              //---your binary handler
              srv.regis_$bin_handle$(
                  async (length,data,conn,sess,self) => {
                      //console.log({length,data})
                      //    data is Buffer
                      //conn.bsend(buf:Buffer)
                      // OR
                      //await conn.absend(buf:Buffer)
                  }
              );


              //---your string handler
              srv.regis_$str_handle$(
                  async (s,conn,sess,self) => {
                      //console.log('received string',s)
                      //    s is string
                      //conn.ssend(str:String)
                      //  OR
                      //await conn.assend(str:String)
                  }
              );


              //----your json handler
              srv.regis_$json_handle$(
                  async (j,conn,sess,self) => {
                      //console.dir(j,{depth:null})
                      //    j is json
                      //conn.jsend(J:JSON)
                      //   OR
                      //await conn.ajsend(J:JSON)
                  }
              );


              //----your creq_handle


              srv.regis_$creq_handle$(
                  async (j,conn,sess,self) => {
                      //console.log("received must reply client req:",j);
                      //await conn.send_jrr_sres(
                      //    {"myreply":"I got IT"},   // any json , must be json
                      //    j.___id___                //the second param MUST BE j.___id___
                      //)
                  }
              );



              module.exports = async () => {
                   await srv.start("/opt/JS/nvsess/sess-isrv/___usock___",undefined);
                   chown_with_name("/opt/JS/nvsess/sess-isrv/___usock___","www-data");
                   return(srv)
              }

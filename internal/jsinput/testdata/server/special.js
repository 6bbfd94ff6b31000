        //on server:
            srv.regis_$creq_handle$(
                 async function(j,conn,sess,self) {
                     //await conn.send_jrr_sres(some-json,j.___id___)
                 }
            );
            
            //sess is from srv.sesses_   ; use srv.sess_filter OR srv.rgx_sess_filter  TO get the-wanted-sess

            sess.conn_.send_jrr_sreq(j)
            sess.conn_.send_jrr_sres(j,id)  //id is from client j.___id___

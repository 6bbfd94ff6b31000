         var sess = srv.lst_sess()
         await sess.conn_.send_jrr_sreq({'hi':'you must reply'})
        //stucked .... AND client must reply

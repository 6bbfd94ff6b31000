       srv.regis_$json_handle$(async (j,conn,sess,self) => {console.log(j)})

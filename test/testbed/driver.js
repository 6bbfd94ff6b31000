// Handlers with which a client can try all of its members: what it sends comes
// back, and some strings make the server act.
srv.regis_$json_handle$((j, conn) => conn.jsend(j));
srv.regis_$bin_handle$((length, data, conn) => conn.bsend(data));
srv.regis_$creq_handle$(async (j, conn) => {
  if (j.___data___ !== 'no answer') await conn.send_jrr_sres(j.___data___, j.___id___);
});
srv.regis_$str_handle$(async (s, conn, sess) => {
  switch (s) {
    case 'ask': // and tell of the answer
      conn.jsend({ answered: (await conn.send_jrr_sreq({ q: 1 })).___data___ });
      return;
    case 'kick':
      conn.close(4001, 'kicked');
      return;
    case 'how long is the silence':
      conn.jsend({ ms: Date.now() - sess.conn_.ka_.lastReceived });
      return;
    default:
      conn.ssend(s);
  }
});

// What nvsessd runs in "make bench-published": each JSON message goes to all other
// sessions, the way nv-session-simple's own forwarding does it, and its sender
// gets an answer.

srv.regis_$json_handle$(async (j, conn, sess, self) => {
  for (const other of self.sesses_.keys()) {
    if (other !== sess) other.conn_.jsend(j);
  }
  await conn.ajsend({ answer: j.n });
});

// What nvsessd runs in "make bench-published": each JSON message goes to all
// other sessions, and its sender gets an answer.

srv.regis_$json_handle$(async (j, conn, sess, self) => {
  self.jforward(j, sess);
  await conn.ajsend({ answer: j.n });
});

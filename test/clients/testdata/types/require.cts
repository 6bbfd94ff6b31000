// What require gives, with types by its one name.
import Bwsess = require("nvsess");

const c: Bwsess = new Bwsess(Bwsess.DFLT_CFG());
const { Client } = Bwsess;
const d: Bwsess.Client = new Client();
const answer: Bwsess.SreqHandle = async (j: Bwsess.Envelope<any>, conn: Bwsess.Conn) => conn.send_jrr_cres(1, j.___id___);
d.regis_$sreq_handle$(answer);
const refused = (err: Bwsess.HandshakeError): number | undefined => err.status;
c.start("ws://localhost/").catch((err) => console.log(err instanceof Bwsess.HandshakeError && refused(err)));

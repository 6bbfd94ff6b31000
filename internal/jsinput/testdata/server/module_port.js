         module.exports = async () => {
             await srv.start(18889,undefined,undefined);
             return(srv)
         }

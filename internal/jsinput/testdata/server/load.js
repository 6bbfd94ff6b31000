                 function tst(count=2000) {
                          var jhandle = async function(j,conn,sess,self) {
                                 if(j.___type___!== '___cfg___') {
                                     console.dir(j,{depth:null})
                                 } else {}
                          }
                          const wait = (delay)=> {
                              let p = new Promise(
                                  (rs,rj)=> {
                                      setTimeout(
                                          ()=> {rs()},
                                          delay
                                      )
                                  }
                              );
                              return(p)
                          }
                          (async function () {
                              for(let i=0;i<count;i++) {
                                  global[`c${i}`] = await require("./eclient")();
                                  let c = global[`c${i}`];
                                  await wait(5)
                              }
                              for(let i=0;i<count;i++) {
                                  let c = global[`c${i}`];
                                  c.regis_$json_handle$(jhandle);
                              }
                          })();
                 
                 }

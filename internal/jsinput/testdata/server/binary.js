    //on eclient:
    var mp;
    var bhandle = async function(length,bytes,conn,sess,self) {    
          console.log("length:",length);
          let r = v8.deserialize(bytes);
          mp = r;
          return(r) 
    }
    c0.regis_$bin_handle$(bhandle);				

    //on iclient:
    await ctrl.sess_.conn_.absend(v8.serialize(new Map([[[100],{x:'y'}],[{},[10,20]]])))

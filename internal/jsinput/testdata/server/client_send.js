
        await c0.sess_.conn_.ajsend({forward:true,src:'c0'})
        /*
        client1 Received JSON Message of  { forward: true, src: 'c0' }
        client2 Received JSON Message of  { forward: true, src: 'c0' }
        */

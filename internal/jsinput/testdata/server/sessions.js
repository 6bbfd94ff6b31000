        srv.sesses_

        /*
        > srv.sesses_
        Map(3) {
          Sess [{
          "id": "INvQ9Xzz-RpN6IS7AYAUlYba7mbYWVRPPFQKuew8nL3u-yx2lS45qZU_3dxeY1cA",
          "host": "localhost",
          "key": "K2DYM2dEcI477JObBbNo1Q==",
          "cookies": [],
          "requestedExtensions": [],
          "query": {}
        }] {} => 'INvQ9Xzz-RpN6IS7AYAUlYba7mbYWVRPPFQKuew8nL3u-yx2lS45qZU_3dxeY1cA',
          Sess [{
          "id": "SSQMZ0JfYA10Vke1yWMAA2lNPSdfkdQyRVlgM8To8FoyJLea9I-iKn0tw3Te0xzV",
          "host": "localhost",
          "key": "/pQ3h9z961Bu4wTemnmsVw==",
          "cookies": [],
          "requestedExtensions": [],
          "query": {}
        }] {} => 'SSQMZ0JfYA10Vke1yWMAA2lNPSdfkdQyRVlgM8To8FoyJLea9I-iKn0tw3Te0xzV',
          Sess [{
          "id": "Ju-pEJB53jlcyPyM_Tla9WXf0ITHOvY-h86hURCmwTXRXj_4rzGkAH1gNL7ZZZEr",
          "host": "localhost",
          "key": "kZlqSa4Oq5YT26z9wg6g1A==",
          "cookies": [],
          "requestedExtensions": [],
          "query": {}
        }] {} => 'Ju-pEJB53jlcyPyM_Tla9WXf0ITHOvY-h86hURCmwTXRXj_4rzGkAH1gNL7ZZZEr'
        }
        >

        srv.hsrv_._pipeName
        */

             sev.regis_$after_extract_async_verify$(async (hreq)=>true)

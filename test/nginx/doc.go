// Package nginx holds nvsessd behind a real nginx with each of the configurations that are shipped: many sessions over wss, what a reload
// of nginx does to them, silence, and whose word about a client's address is taken. docs/nginx.md says what comes of it.
// Other tests have their nginx from here, too ([Start]).
package nginx

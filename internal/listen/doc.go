// Package listen makes the listening sockets and takes over those systemd passes.
//
// A Socket is a bare descriptor, non-blocking and close-on-exec, for an epoll loop; NetListener gives one for net/http. Open makes
// one at an address. Inherited takes the ones in the environment, once.
//
// A unix socket is born with its final mode and owner: nothing is chmod-ed or chown-ed after bind(2), so nobody can slip in between.
// For that Open sets the umask of the process while it binds, which is why it is for start-up only: a file that another goroutine
// makes in that moment gets the socket's mode, too. The owner is set by the file system ids of a thread that is thrown away after.
//
// What is found at the path decides: nothing or a stale socket is replaced, a live one is somebody's and is refused, and whatever
// is not a socket is never touched. A lock file next to the path, held while this is looked at, keeps two starting daemons from both
// finding it stale.
package listen

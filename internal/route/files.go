package route

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// nonBlock: a FIFO that has taken a file's place is opened without waiting.
const nonBlock = syscall.O_NONBLOCK

// newFiles serves a directory, or for an exact path one file. Nothing leads out
// of the directory (os.Root): no symbolic link, no "..". There are no listings,
// and what begins with a dot is not there.
func newFiles(r Route) (*handler, error) {
	dir, one := r.Files, ""
	if !strings.HasSuffix(r.Path, "/*") {
		dir, one = filepath.Split(r.Files)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	if one != "" {
		if fi, err := root.Stat(one); err != nil || !fi.Mode().IsRegular() {
			return nil, errors.Join(fmt.Errorf("files: %s is not a file, as an exact path needs", r.Files), err, root.Close())
		}
	}
	return &handler{close: func() { _ = root.Close() }, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		setFields(w, r.Header)
		name := one
		if one == "" {
			// The path was taken apart before its escapes were resolved: an
			// escaped slash is not one.
			rest := below(r.Path, pathOf(req))
			if strings.Contains(strings.ToLower(rest), "%2f") || strings.Contains(rest, "//") {
				notFound(w)
				return
			}
			if rest == "" {
				redirectToDirectory(w, req)
				return
			}
			var err error
			if name, err = url.PathUnescape(rest); err != nil {
				notFound(w)
				return
			}
		}
		serveFile(w, req, root, name)
	})}, nil
}

// serveFile serves a file of root: of a directory, its index.html.
func serveFile(w http.ResponseWriter, r *http.Request, root *os.Root, name string) {
	asDir := strings.HasSuffix(name, "/")
	name = strings.Trim(name, "/")
	if strings.ContainsAny(name, "\x00\\") || name != "" && strings.Contains("/"+name, "/.") {
		notFound(w)
		return
	}
	if asDir {
		name = path.Join(name, "index.html")
	}
	// Not to be opened before it is known to be a file: opening a FIFO waits.
	fi, err := root.Stat(name)
	switch {
	case err != nil:
		failed(w, err)
		return
	case fi.IsDir() && !asDir:
		redirectToDirectory(w, r)
		return
	case !fi.Mode().IsRegular():
		notFound(w)
		return
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		failed(w, err)
		return
	}
	defer f.Close()
	if fi, err = f.Stat(); err != nil || !fi.Mode().IsRegular() {
		notFound(w)
		return
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, fi.ModTime().UnixNano(), fi.Size()))
	http.ServeContent(w, r, name, fi.ModTime(), f)
}

// redirectToDirectory adds the slash that relative links in a page need.
func redirectToDirectory(w http.ResponseWriter, r *http.Request) {
	to := "/" + strings.TrimLeft(pathOf(r), "/") + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusMovedPermanently)
}

// failed answers for a file that cannot be opened. Why is not the client's to
// know, but whether it is for good.
func failed(w http.ResponseWriter, err error) {
	if scarce(err) {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable)
		return
	}
	if errors.Is(err, fs.ErrPermission) {
		fail(w, http.StatusForbidden)
		return
	}
	notFound(w)
}

func notFound(w http.ResponseWriter) { fail(w, http.StatusNotFound) }

// fail answers with a status and its name.
func fail(w http.ResponseWriter, status int) {
	h := w.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Cache-Control"} {
		h.Del(name)
	}
	http.Error(w, strings.ToLower(http.StatusText(status)), status)
}

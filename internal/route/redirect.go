package route

import (
	"cmp"
	"net/http"
	"strings"
)

func newRedirect(r Route) *handler {
	status := cmp.Or(r.Status, http.StatusFound)
	return &handler{writes: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		setFields(w, r.Header)
		to := r.Redirect
		if fixed, ok := strings.CutSuffix(to, "/*"); ok {
			// One slash only: a path that begins with two would be another host.
			to = fixed + "/" + strings.TrimLeft(below(r.Path, pathOf(req)), "/")
			if req.URL.RawQuery != "" {
				to += "?" + req.URL.RawQuery
			}
		}
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	})}
}

func setFields(w http.ResponseWriter, fields http.Header) {
	for name, values := range fields {
		w.Header()[name] = values
	}
}

package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// readArgs reads and checks the arguments of a request: a JSON object in the body of a POST, the query of a GET. It asks large before it
// reads more than smallBody.
func readArgs(w http.ResponseWriter, r *http.Request, cmd *Command, large func() error) (Args, error) {
	switch r.Method {
	case http.MethodPost:
		if r.URL.RawQuery != "" {
			return Args{}, errorf(CodeBadRequest, "the arguments of a POST go into its body, as a JSON object")
		}
		return readBody(w, r, cmd, large)
	case http.MethodGet:
		if !cmd.ReadOnly {
			break
		}
		args, err := readQuery(r, cmd)
		if err == nil && cmd.changes(args) {
			break
		}
		return args, err
	}
	w.Header().Set("Allow", strings.Join(cmd.methods(), ", "))
	return Args{}, errorf(CodeMethod, "%s changes something or sends: call it with POST", cmd.Name)
}

// readBody takes no body for an empty object.
func readBody(w http.ResponseWriter, r *http.Request, cmd *Command, large func() error) (Args, error) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout))
	src := http.MaxBytesReader(w, r.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(src, smallBody+1))
	if err == nil && len(body) > smallBody {
		if err := large(); err != nil {
			return Args{}, err
		}
		var rest []byte
		rest, err = io.ReadAll(src)
		body = append(body, rest...)
	}
	_ = rc.SetReadDeadline(time.Time{}) // from here on a read only notices that the caller leaves
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return Args{}, errorf(CodeTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case err != nil:
		return Args{}, errorf(CodeBadRequest, "the body did not arrive: %s", err)
	}
	w.Header().Del("Connection") // see ServeHTTP
	body = bytes.Trim(body, jsonSpace)
	if len(body) == 0 {
		return cmd.decodeArgs(nil)
	}
	if err := CheckJSON(string(body)); err != nil {
		return Args{}, badJSON(err)
	}
	var given map[string]json.RawMessage
	if body[0] != '{' || json.Unmarshal(body, &given) != nil {
		return Args{}, errorf(CodeBadRequest, "the body must be a JSON object of arguments, such as {\"session\": \"fst\"}")
	}
	return cmd.decodeArgs(given)
}

// badJSON says in an answer where JSON broke.
func badJSON(err error) error {
	var j *JSONError
	if !errors.As(err, &j) {
		return err
	}
	e := errorf(CodeBadJSON, "%s", j.Error())
	e.Line, e.Column = position(j.Text, j.Offset)
	return e
}

func readQuery(r *http.Request, cmd *Command) (Args, error) {
	values := map[string]any{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Args{}, errorf(CodeBadRequest, "the arguments are not understood: %s", plainly(err))
	}
	for name, given := range query {
		a := cmd.Arg(name)
		if a == nil || a.Local {
			return Args{}, badArg(name, "%s takes no argument %s; %s", cmd.Name, Quote(clip(name, 40)), cmd.argNames())
		}
		v, err := a.parse(strings.Join(given, ","))
		if err != nil {
			return Args{}, err
		}
		values[name] = v
	}
	for i := range cmd.Args {
		if a := &cmd.Args[i]; a.Required && values[a.Name] == nil {
			return Args{}, badArg(a.Name, "%s needs the argument %q: %s", cmd.Name, a.Name, a.Help)
		}
	}
	return Args{values}, nil
}

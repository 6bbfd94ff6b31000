package gen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// UsageError is a command line that makes no sense.
type UsageError struct{ err error }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

func usageErrorf(format string, args ...any) *UsageError {
	return &UsageError{fmt.Errorf(format, args...)}
}

// parse reads a command line as nv-session-simple's commands do: "-P 80", "-P80", "-P=80", "--external_port 80", "--external_port=80";
// "-k false", "-k=false", "--no-internal_is_usock"; "-FT". Underscores and dashes are the same in a long name. Of an option that is
// there twice the last counts. help says that -h was there; then nothing else matters.
func parse(args, names []string) (o *Options, help bool, err error) {
	o = defaults()
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" || a == "-help" }) {
		return o, true, nil
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case strings.HasPrefix(arg, "--"):
			name, value, hasValue := strings.Cut(arg[2:], "=")
			name = strings.ReplaceAll(name, "-", "_")
			opt := lookup(names, name)
			if opt == nil {
				if opt = lookup(names, strings.TrimPrefix(name, "no_")); opt == nil || !opt.boolean || hasValue {
					return nil, false, usageErrorf("there is no option %s; -h lists them", strconv.Quote(arg))
				}
				value, hasValue = "false", true
			}
			args, err = o.take(opt, value, hasValue, args)
		case len(arg) > 1 && arg[0] == '-':
			args, err = o.takeShort(names, arg[1:], args)
		default:
			err = usageErrorf("%s is not an option, and nothing else is expected; -h lists them", strconv.Quote(arg))
		}
		if err != nil {
			return nil, false, err
		}
	}
	return o, false, o.settle(names)
}

// takeShort reads what follows a dash: flags in a row, the last of which may have a value.
func (o *Options) takeShort(names []string, rest string, args []string) ([]string, error) {
	for rest != "" {
		letter := rest[:1]
		rest = rest[1:]
		opt := lookupShort(names, letter)
		if opt == nil {
			return nil, usageErrorf("there is no option %s; -h lists them", strconv.Quote("-"+letter+rest))
		}
		value, isValue := strings.CutPrefix(rest, "=")
		switch {
		case isValue, opt.boolean && (rest == "true" || rest == "false"), !opt.boolean && rest != "":
			return o.take(opt, value, true, args)
		case rest == "":
			return o.take(opt, "", false, args)
		}
		if _, err := o.take(opt, "true", true, nil); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// take sets an option to its value, or to the next argument. It returns the arguments that are left.
func (o *Options) take(opt *option, value string, hasValue bool, args []string) ([]string, error) {
	switch {
	case hasValue:
	case opt.boolean && len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		value, args = args[0], args[1:] // if it is neither true nor false it is nothing else either
	case opt.boolean:
		value = "true"
	case len(args) == 0:
		return nil, usageErrorf("%s needs a value", opt.label())
	case len(args[0]) > 1 && args[0][0] == '-':
		return nil, usageErrorf("%s needs a value, and %s looks like an option; --%s=VALUE takes any", opt.label(), strconv.Quote(args[0]), opt.name)
	default:
		value, args = args[0], args[1:]
	}
	if value == "" && opt.emptyIsDefault {
		return args, nil
	}
	if value == "" {
		return nil, usageErrorf("%s cannot be empty", opt.label())
	}
	if err := opt.set(o, value); err != nil {
		return nil, usageErrorf("%s %s: %w", opt.label(), strconv.Quote(value), err)
	}
	o.given[opt.name] = true
	return args, nil
}

func lookup(names []string, name string) *option {
	if !slices.Contains(names, name) {
		return nil
	}
	return optionTable[name]
}

func lookupShort(names []string, letter string) *option {
	for _, n := range names {
		if o := optionTable[n]; o.short == letter {
			return o
		}
	}
	return nil
}

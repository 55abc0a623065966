package httpapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// faults gathers what is wrong with a body, so that one answer names all of it.
type faults struct {
	list  []submsg.FieldProblem
	shape bool // one of them is of JSON's shape: a type, a member that is unknown
	other bool // one of them is of a value
}

// Codes of the single faults of a body. invalid_json has those of shape; a value that is of the right type but not
// readable is invalid_request.
const (
	faultType     = "wrong_type"
	faultUnknown  = "unknown_member"
	faultMissing  = "missing"
	faultTime     = "bad_time"
	faultDuration = "bad_duration"
	faultValue    = "not_allowed"
	faultText     = "not_text" // a value of data that is no string
)

// mostFaults bounds what one answer names: a body of a megabyte can hold a hundred thousand unknown members.
const mostFaults = 100

func (f *faults) add(field, code, detail string) {
	if len(f.list) < mostFaults {
		f.list = append(f.list, submsg.FieldProblem{Field: shown(field), Code: code, Detail: detail})
	}
	switch code {
	case faultType, faultUnknown:
		f.shape = true
	case faultText:
	default:
		f.other = true
	}
}

// err is the faults as one problem, or nil.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	code := submsg.CodeInvalidFields
	switch {
	case f.shape:
		code = CodeInvalidJSON
	case f.other:
		code = submsg.CodeInvalidRequest
	}
	p := fail(code, f.list[0].Field, f.list[0].Detail)
	p.Errors = f.list
	return p
}

// form reads the members of one object of a body. What it reads is zero where the member is absent or faulty; the
// faults are in *faults.
type form struct {
	*faults
	path    string
	members *object
	read    map[string]bool
}

// newForm begins to read a body that must be an object.
func newForm(body any, f *faults) form { return openForm(body, "", f) }

func openForm(v any, path string, f *faults) form {
	o, ok := v.(*object)
	if !ok {
		f.add(path, faultType, "an object is expected, not "+typeName(v))
		o = &object{}
	}
	return form{faults: f, path: path, members: o, read: map[string]bool{}}
}

func (f form) at(name string) string { return joinPath(f.path, name) }

func (f form) get(name string) (v any, ok bool) {
	f.read[name] = true
	v, ok = f.members.values[name]
	return v, ok
}

// close complains of the members that nobody asked for.
func (f form) close() {
	for _, name := range f.members.names {
		if !f.read[name] {
			f.add(f.at(name), faultUnknown, "no such member is known here; is it misspelt?")
		}
	}
}

func member[T any](f form, name, want string) (v T, ok bool) {
	raw, present := f.get(name)
	if !present {
		return v, false
	}
	if v, ok = raw.(T); !ok {
		f.add(f.at(name), faultType, want+" is expected, not "+typeName(raw))
	}
	return v, ok
}

func (f form) text(name string) string {
	v, _ := member[string](f, name, "a string")
	return v
}

// needed is a text that may not be left out.
func (f form) needed(name string) string {
	if _, ok := f.get(name); !ok {
		f.add(f.at(name), faultMissing, name+" is needed")
	}
	return f.text(name)
}

// choice is a text that is one of a few; "" where it is left out.
func (f form) choice(name string, allowed ...string) string {
	v, ok := member[string](f, name, "a string")
	if ok && !slices.Contains(allowed, v) {
		f.add(f.at(name), faultValue, name+" is one of "+strings.Join(allowed, ", "))
		return ""
	}
	return v
}

func (f form) flag(name string) bool {
	v, _ := member[bool](f, name, "true or false")
	return v
}

func (f form) list(name string) ([]any, bool) { return member[[]any](f, name, "an array") }

func (f form) texts(name string) ([]string, bool) {
	items, ok := f.list(name)
	if !ok {
		return nil, false
	}
	out := make([]string, len(items))
	for i, it := range items {
		if out[i], ok = it.(string); !ok {
			f.add(f.at(name)+"["+strconv.Itoa(i)+"]", faultType, "a string is expected, not "+typeName(it))
		}
	}
	return out, true
}

// object is a member that is an object; ok is false where it is left out. Its own faults are added as it is read.
func (f form) object(name string) (form, bool) {
	v, ok := f.get(name)
	if !ok {
		return form{}, false
	}
	return openForm(v, f.at(name), f.faults), true
}

// data is the content of a message: each value a plain text. nil where it is left out.
func (f form) data(name string) map[string]string {
	raw, ok := f.get(name)
	if !ok {
		return nil
	}
	o, ok := raw.(*object)
	if !ok {
		f.add(f.at(name), faultText, `an object such as {"thing1": "text"} is expected, not `+typeName(raw))
		return nil
	}
	out := make(map[string]string, len(o.names))
	for _, key := range o.names {
		switch v := o.values[key].(type) {
		case string:
			out[key] = v
		case *object:
			f.add(f.at(name)+"."+key, faultText, key+` must be a plain string, without WeChat's {"value": …} around it`)
		default:
			f.add(f.at(name)+"."+key, faultText, fmt.Sprintf("%s must be a string, not %s: put it in quotes", key, typeName(v)))
		}
	}
	return out
}

func (f form) time(name string) time.Time {
	v, ok := member[string](f, name, "a string")
	if !ok {
		return time.Time{}
	}
	t, err := readTime(v)
	if err != nil {
		f.add(f.at(name), faultTime, name+err.Error())
	}
	return t
}

func (f form) duration(name string) (d time.Duration, set bool) {
	v, ok := member[string](f, name, "a string")
	if !ok {
		return 0, false
	}
	d, err := readDuration(v)
	if err != nil {
		f.add(f.at(name), faultDuration, name+err.Error())
		return 0, false
	}
	return d, true
}

package transport

import (
	"encoding"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// plan says how a request type is filled from a request, and a request from
// it: fields tagged `path`, `query`, `header` and `cookie` from there, the
// others from the JSON body.
type plan struct {
	params   []param
	hasQuery bool
	hasBody  bool
	checked  bool // some field has a validate tag
}

type param struct {
	in, name string // as OpenAPI calls them: "path", "id"
	index    []int
	set      func(reflect.Value, string) error
	required func(name string) error // what its absence means; nil when it may be absent
}

// missing is a parameter that must be there, and says what its absence means.
type missing interface{ Missing(name string) error }

var noneType = reflect.TypeFor[endpoint.None]()

func planFor(t reflect.Type) (*plan, error) {
	p := &plan{}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("request type %s is not a struct", t)
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		if f.Tag.Get("validate") != "" {
			p.checked = true
		}
		in, name := source(f)
		if in == "" {
			if f.Tag.Get("json") == "" {
				return nil, fmt.Errorf("field %s.%s has no tag that says where it comes from", t, f.Name)
			}
			p.hasBody = p.hasBody || f.Tag.Get("json") != "-"
			continue
		}
		if f.Tag.Get("json") != "-" {
			return nil, fmt.Errorf("field %s.%s comes from the %s: it needs `json:\"-\"`", t, f.Name, in)
		}
		set, err := setter(f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s.%s: %w", t, f.Name, err)
		}
		par := param{in: in, name: name, index: f.Index, set: set}
		if r, ok := reflect.Zero(f.Type).Interface().(missing); ok && f.Type.Kind() != reflect.Pointer {
			par.required = r.Missing
		}
		p.params = append(p.params, par)
		p.hasQuery = p.hasQuery || in == "query"
	}
	return p, nil
}

func source(f reflect.StructField) (in, name string) {
	for _, in := range []string{"path", "query", "header", "cookie"} {
		if name := f.Tag.Get(in); name != "" {
			if in == "header" {
				name = http.CanonicalHeaderKey(name)
			}
			return in, name
		}
	}
	return "", ""
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// setter returns how a field of type t is set from text.
func setter(t reflect.Type) (func(reflect.Value, string) error, error) {
	if t.Kind() == reflect.Pointer {
		set, err := setter(t.Elem())
		return func(v reflect.Value, s string) error {
			v.Set(reflect.New(t.Elem()))
			return set(v.Elem(), s)
		}, err
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return func(v reflect.Value, s string) error {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
		}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, s string) error { v.SetString(s); return nil }, nil
	case reflect.Int, reflect.Int64:
		return func(v reflect.Value, s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return errors.New("is not a whole number")
			}
			v.SetInt(n)
			return nil
		}, nil
	case reflect.Bool:
		return func(v reflect.Value, s string) error {
			if s != "true" && s != "false" {
				return errors.New("is neither true nor false")
			}
			v.SetBool(s == "true")
			return nil
		}, nil
	}
	return nil, fmt.Errorf("a %s cannot be read from text", t)
}

// fill sets the fields that come from the path, query, headers and cookies.
func (p *plan) fill(v reflect.Value, r *http.Request) error {
	var query url.Values
	if p.hasQuery && r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return fault.New(fault.Malformed, "query_malformed", "The query is not well-formed.").Because(err)
		}
	}
	var wrong []fault.Field
	for i := range p.params {
		par := &p.params[i]
		text, present, err := par.text(r, query)
		if err == nil && !present {
			if par.required != nil {
				return par.required(par.name)
			}
			continue
		}
		if err == nil {
			err = par.set(v.FieldByIndex(par.index), text)
		}
		if err == nil {
			continue
		}
		if par.in == "path" {
			return errNoSuchPath.Because(fmt.Errorf("%s: %w", par.name, err))
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return f
		}
		wrong = append(wrong, fault.Field{Parameter: par.name, Code: "malformed", Detail: err.Error()})
	}
	if len(wrong) > 0 {
		return fault.Breaks(wrong...)
	}
	return nil
}

// text finds a parameter's value in a request.
func (par *param) text(r *http.Request, query url.Values) (text string, present bool, err error) {
	var values []string
	switch par.in {
	case "path":
		values = []string{r.PathValue(par.name)}
	case "query":
		values = query[par.name]
	case "header":
		if values = r.Header[par.name]; len(values) == 1 && !utf8.ValidString(values[0]) {
			values = []string{strings.ToValidUTF8(values[0], "\uFFFD")} // a header may be Latin-1 (RFC 9110, 5.5)
		}
	case "cookie":
		if c, err := r.Cookie(par.name); err == nil {
			values = []string{c.Value}
		}
	}
	switch {
	case len(values) == 0:
		return "", false, nil
	case len(values) > 1:
		return "", true, errors.New("is given more than once")
	case strings.ContainsRune(values[0], 0):
		return "", true, errors.New("has a NUL character")
	case !utf8.ValidString(values[0]):
		return "", true, errors.New("is not UTF-8")
	}
	return values[0], true, nil
}

// put writes the fields that do not travel in the body into a request to another service.
func (p *plan) put(v reflect.Value, path string, r *http.Request) error {
	query := url.Values{}
	for _, par := range p.params {
		f := v.FieldByIndex(par.index)
		if f.IsZero() && par.in != "path" {
			continue
		}
		text, err := textOf(f)
		if err != nil {
			return fmt.Errorf("%s: %w", par.name, err)
		}
		switch par.in {
		case "path":
			path = strings.ReplaceAll(path, "{"+par.name+"}", url.PathEscape(text))
		case "query":
			query.Set(par.name, text)
		case "header":
			if strings.ContainsFunc(text, unicode.IsControl) {
				return fmt.Errorf("%s has a control character", par.name)
			}
			r.Header.Set(par.name, text)
		case "cookie":
			cookie := &http.Cookie{Name: par.name, Value: text}
			if err := cookie.Valid(); err != nil {
				return err
			}
			r.AddCookie(cookie)
		}
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return err
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = plain, path, query.Encode() // not resolved: a value of ".." must not lead elsewhere
	return nil
}

func textOf(v reflect.Value) (string, error) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return x.Format(time.RFC3339Nano), nil
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		return string(b), err
	}
	return fmt.Sprint(v.Interface()), nil
}

// takes tells whether a request's media type is one the route reads.
func takes(r *http.Request) bool {
	v := first(r.Header, "Content-Type")
	if v == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(v)
	if err != nil {
		return false
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return media == "application/json" || media == "application/merge-patch+json" && r.Method == http.MethodPatch
}

package server

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Configuration is environment variables, described by the tags of a struct:
//
//	Store string `env:"STORE" default:"sqlite:data/notes.db" schemes:"sqlite postgres" takes:"sqlite:FILE or postgres://…" doc:"where the notes are kept"`
//
// Fields are strings, numbers, durations, or anything that unmarshals text. A
// value with schemes may hold a password, and one tagged secret:"true" is one:
// they are not repeated in errors.

// Address is host:port, or nothing.
type Address string

// UnmarshalText reads an address; ":8000" is every address of this machine.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	_, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the port is no number up to 65535")
	}
	*a = Address(text)
	return nil
}

// URL is an http or https URL, or nothing.
type URL string

// UnmarshalText reads a URL.
func (u *URL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err == nil && len(text) > 0 && (parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "") {
		err = errors.New("no http URL")
	}
	*u = URL(text)
	return err
}

// Redacted is a store's URL as it may be shown: without user and parameters,
// either of which may have a password.
func Redacted(store string) string {
	scheme, file, _ := strings.Cut(store, ":")
	if u, err := url.Parse(store); err == nil && u.Host != "" {
		return scheme + "://" + u.Host + u.Path
	}
	if scheme == "sqlite" {
		return scheme + ":" + file
	}
	return scheme + ":…"
}

// variable is one row of the table of configuration.
type variable struct {
	Name, Default, Takes, Doc string

	schemes []string
	secret  bool
	field   int
}

func variables(prefix string, config reflect.Type) (vars []variable) {
	for i := range config.NumField() {
		tag := config.Field(i).Tag
		if tag.Get("env") == "" {
			continue
		}
		vars = append(vars, variable{
			Name: prefix + "_" + tag.Get("env"), Default: tag.Get("default"), Takes: tag.Get("takes"), Doc: tag.Get("doc"),
			schemes: strings.Fields(tag.Get("schemes")), secret: tag.Get("secret") == "true", field: i,
		})
	}
	return vars
}

// load fills the struct that config points at, and vars describe, from the
// environment. Its error names every variable that is wrong, what it got and
// what it takes.
func load(vars []variable, config any) error {
	v := reflect.ValueOf(config).Elem()
	var errs []error
	for _, variable := range vars {
		text, ok := os.LookupEnv(variable.Name)
		if !ok || text == "" {
			text = variable.Default
		}
		if err := variable.set(v.Field(variable.field), text); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (v variable) set(field reflect.Value, text string) error {
	got := strconv.Quote(text)
	if v.secret {
		got = "something else"
	}
	if len(v.schemes) > 0 && text+v.Default != "" {
		scheme, rest, ok := strings.Cut(text, ":")
		if !ok || !slices.Contains(v.schemes, scheme) {
			return fmt.Errorf("%s: got %q, takes %s", v.Name, scheme+":…", v.Takes)
		}
		if got = scheme + ":…"; rest == "" && scheme != "memory" {
			return fmt.Errorf("%s: got %s with nothing behind it, takes %s", v.Name, got, v.Takes)
		}
	}
	if err := parse(field, text); err != nil {
		return fmt.Errorf("%s: got %s, takes %s", v.Name, got, v.Takes)
	}
	return nil
}

func parse(field reflect.Value, text string) (err error) {
	if u, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p = text
	case *int:
		*p, err = strconv.Atoi(text)
	case *Count:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 8)
		*p = Count(n)
	case *bool:
		*p, err = strconv.ParseBool(text)
	case *time.Duration:
		if *p, err = time.ParseDuration(text); err == nil && *p < 0 {
			err = errors.New("negative")
		}
	case *Share:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil && (f < 0 || f > 1 || f != f) {
			err = errors.New("out of range")
		}
		*p = Share(f)
	default:
		err = fmt.Errorf("a %s cannot be configured", field.Type())
	}
	return err
}

// Count is a small number, 0 to 255.
type Count int

// Share is a part of the whole, 0 to 1.
type Share float64

// printVariables prints the table of configuration.
func printVariables(w io.Writer, vars []variable) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range vars {
		fmt.Fprintf(t, "  %s\t%s\n", v.Name, v.Doc)
		fmt.Fprintf(t, "  \ttakes %s; default %s\n", v.Takes, strconv.Quote(v.Default))
	}
	_ = t.Flush()
}

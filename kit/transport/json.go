package transport

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/trellis-go/trellis/kit/fault"
)

// strict is how bodies are read. A time must be one that can be written again:
// "9999-12-31T23:59:59-01:00" is in the year 10000 of UTC.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, t *time.Time) error {
		var text string
		if err := json.UnmarshalDecode(dec, &text); err != nil {
			return err
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if year := at.UTC().Year(); err == nil && (year < 1 || year > 9999) {
			err = errors.New("out of range")
		}
		*t = at
		return err
	})),
)

// unmarshal reads one JSON value into what to points at, strictly: unknown
// and repeated names, names in another case, text that is not UTF-8 and NUL
// characters (which PostgreSQL cannot keep) are refused, each by its pointer.
func unmarshal(body []byte, to any) error {
	if err := json.Unmarshal(body, to, strict); err != nil {
		return unmarshalError(err)
	}
	if bytes.Contains(body, []byte(`\u0000`)) {
		if at := findNUL(jsontext.NewDecoder(bytes.NewReader(body))); at != "" {
			return fault.Breaks(fault.Field{Pointer: string(at), Code: "nul_character", Detail: "has a NUL character"})
		}
	}
	return nil
}

func unmarshalError(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		f := fault.Field{Pointer: string(semantic.JSONPointer), Code: "wrong_type", Detail: "is not " + article(semantic.GoType)}
		if errors.Is(semantic.Err, json.ErrUnknownName) {
			f.Code, f.Detail = "unknown_field", "is not a field that this takes"
		}
		return fault.Breaks(f) // err quotes what was sent, which may be a password
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		message := "The body is not well-formed JSON, at byte %d."
		if errors.Is(syntactic.Err, jsontext.ErrDuplicateName) {
			message = "The body has a name twice, at byte %d."
		}
		return fault.New(fault.Malformed, "json_malformed", message, syntactic.ByteOffset)
	}
	return fault.New(fault.Malformed, "json_malformed", "The body is not well-formed JSON.")
}

// article names what was expected, in JSON's words.
func article(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return "of the right type"
	case t.PkgPath() == "time":
		return "an RFC 3339 time"
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return "of the right form"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number in range"
}

// findNUL returns the pointer to the first string that has a NUL character.
func findNUL(dec *jsontext.Decoder) jsontext.Pointer {
	for {
		tok, err := dec.ReadToken()
		if err != nil { // io.EOF: the body was read whole before
			return ""
		}
		if tok.Kind() == '"' && strings.ContainsRune(tok.String(), 0) {
			return dec.StackPointer()
		}
	}
}

func marshal(w io.Writer, v any) error {
	return json.MarshalWrite(w, v, json.Deterministic(true))
}

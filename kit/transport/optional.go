package transport

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Optional is a member of a merge patch (RFC 7396): absent, or a value. Null
// means the value's zero, as one that is removed begins again from nothing.
// A field needs `json:"name,omitzero"`.
type Optional[T any] struct {
	Set   bool
	Value T
}

// Some returns a member that is there.
func Some[T any](v T) Optional[T] { return Optional[T]{true, v} }

// To writes the value over *v if there is one.
func (o Optional[T]) To(v *T) {
	if o.Set {
		*v = o.Value
	}
}

// IsZero tells whether the member is absent.
func (o Optional[T]) IsZero() bool { return !o.Set }

// UnmarshalJSONFrom reads the member's value.
func (o *Optional[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	o.Set = true
	return json.UnmarshalDecode(dec, &o.Value)
}

// MarshalJSONTo writes the member's value.
func (o Optional[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, o.Value)
}

// optional is what every Optional is, whatever its T.
type optional interface {
	contents() any
	contentsType() reflect.Type
}

// contentsOf returns what an Optional holds.
func contentsOf(t reflect.Type) (contents reflect.Type, ok bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	o, ok := reflect.Zero(t).Interface().(optional)
	if !ok {
		return nil, false
	}
	return o.contentsType(), true
}

func (o Optional[T]) contents() any {
	if !o.Set {
		return nil
	}
	return o.Value
}

func (o Optional[T]) contentsType() reflect.Type { return reflect.TypeFor[T]() }

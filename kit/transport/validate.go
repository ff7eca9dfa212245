package transport

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"
	"github.com/trellis-go/trellis/kit/fault"
)

// checker enforces validate tags. Beside the library's own rules it knows
// maxbytes=N, the bound of a text in UTF-8. "max" counts characters.
type checker struct{ v *validator.Validate }

// newChecker returns a checker for requests of type t.
func newChecker(t reflect.Type) (checker, error) {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		if in, name := source(f); in != "" {
			return "?" + name
		}
		if f.Anonymous && f.Tag.Get("json") == "" {
			return embedded // its members are the outer one's
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	err := v.RegisterValidation("maxbytes", func(fl validator.FieldLevel) bool {
		limit, err := strconv.Atoi(fl.Param())
		if err != nil {
			panic("validate: maxbytes=" + fl.Param())
		}
		return len(fl.Field().String()) <= limit
	})
	if err != nil {
		return checker{}, err
	}
	for _, f := range reflect.VisibleFields(t) {
		if _, ok := contentsOf(f.Type); ok {
			v.RegisterCustomTypeFunc(func(field reflect.Value) any { return field.Interface().(optional).contents() }, reflect.Zero(f.Type).Interface())
		}
	}
	_ = v.Struct(reflect.New(t).Interface()) // reads the tags; a rule that there is not panics now, and Handler says so
	return checker{v}, nil
}

// check returns what in req breaks a rule, each by its JSON pointer or parameter.
func (c checker) check(req any) error {
	err := c.v.Struct(req)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return fmt.Errorf("validate: %w", err)
	}
	fields := make([]fault.Field, len(broken))
	for i, b := range broken {
		fields[i] = describe(b)
	}
	return fault.Breaks(fields...)
}

const embedded = "^" // in a namespace

func describe(b validator.FieldError) (f fault.Field) {
	_, path, _ := strings.Cut(b.Namespace(), ".") // "CreateRequest.tags[3]"
	path = strings.ReplaceAll(path, embedded+".", "")
	if name, ok := strings.CutPrefix(path, "?"); ok {
		f.Parameter = name
	} else {
		f.Pointer = "/" + strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "").Replace(path)
	}
	text := b.Kind() == reflect.String
	switch rule, arg := b.ActualTag(), b.Param(); {
	case rule == "required":
		f.Code, f.Detail = "required", "is required"
	case rule == "max" && text:
		f.Code, f.Detail = "too_long", "may have at most "+arg+" characters"
	case rule == "maxbytes":
		f.Code, f.Detail = "too_long", "may have at most "+arg+" bytes"
	case rule == "min" && text:
		f.Code, f.Detail = "too_short", "needs at least "+arg+" characters"
	case rule == "max" && b.Kind() == reflect.Slice:
		f.Code, f.Detail = "too_many", "may have at most "+arg+" entries"
	case rule == "min" && b.Kind() == reflect.Slice:
		f.Code, f.Detail = "too_few", "needs "+arg+" entries"
	case rule == "max":
		f.Code, f.Detail = "too_large", "may be "+arg+" at most"
	case rule == "min":
		f.Code, f.Detail = "too_small", "must be at least "+arg
	case rule == "oneof":
		f.Code, f.Detail = "not_allowed", "must be one of "+strings.Join(strings.Fields(arg), ", ")
	case rule == "email":
		f.Code, f.Detail = "not_an_email", "is not an email address"
	default:
		f.Code, f.Detail = rule, "breaks the rule "+rule
	}
	return f
}

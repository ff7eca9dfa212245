// Package fault gives every error a kind, a stable code and a message fit to
// be seen, so that each layer can tell what went wrong without knowing where,
// and so that the status a client gets is decided in one place.
package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is the class of an error. Its value is the HTTP status it maps to.
type Kind int

const (
	Malformed        Kind = 400 // cannot be read
	Unauthenticated  Kind = 401 // the caller is not known
	Forbidden        Kind = 403 // the caller is known, and may not
	NotFound         Kind = 404 // not there, or not the caller's
	MethodNotAllowed Kind = 405
	RequestTimeout   Kind = 408 // the client sends too slowly
	Conflict         Kind = 409 // at odds with the present state
	Gone             Kind = 410 // was there, has expired
	Stale            Kind = 412 // the version that was named is not the present one
	TooLarge         Kind = 413
	Unsupported      Kind = 415 // the media type is not taken
	Invalid          Kind = 422 // can be read, and breaks a rule
	VersionMissing   Kind = 428 // the version that the change is based on must be named
	TooMany          Kind = 429
	HeaderTooLarge   Kind = 431
	Canceled         Kind = 499 // the caller has gone; nginx's number, seen in logs only
	Internal         Kind = 500 // what nobody classified
	BadGateway       Kind = 502 // another service's answer makes no sense
	Unavailable      Kind = 503
	Timeout          Kind = 504
)

// Failure tells whether an error of this kind means that the service failed,
// not that it refused.
func (k Kind) Failure() bool { return k >= Internal }

// Error is an error that somebody classified. Message, Fields and Current
// may be shown to the caller; Cause is for the logs alone.
type Error struct {
	Kind       Kind
	Code       string // stable, for programs: "email_taken"
	Message    string
	Fields     []Field       // what is wrong with which part of the request
	RetryAfter time.Duration // when to try again; 0 says nothing
	Current    any           // with Stale, the present representation
	Cause      error
}

// Field is one part of a request that breaks a rule: a JSON pointer (RFC 6901)
// into the body, or the name of a parameter of the path, query or header.
type Field struct {
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
}

// New returns an error of a kind, with a code for programs and a message for people.
func New(kind Kind, code, format string, args ...any) *Error {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	return &Error{Kind: kind, Code: code, Message: message}
}

// Breaks returns an Invalid error that names the parts which break a rule.
func Breaks(fields ...Field) *Error {
	message := "The request breaks a rule."
	if len(fields) > 0 {
		message = fields[0].name() + " " + fields[0].Detail + "."
	}
	return &Error{Kind: Invalid, Code: "invalid", Message: message, Fields: fields}
}

func (f Field) name() string {
	if f.Parameter != "" {
		return f.Parameter
	}
	if f.Pointer == "" {
		return "The body"
	}
	return f.Pointer[1:]
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is see the same error whatever it was refined with.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code
}

// Because returns e with the cause that the logs shall name.
func (e *Error) Because(err error) *Error { c := *e; c.Cause = err; return &c }

// After returns e with the time after which to try again.
func (e *Error) After(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// With returns e with the present representation of what the caller knew an old one of.
func (e *Error) With(current any) *Error { c := *e; c.Current = current; return &c }

var (
	errCanceled = New(Canceled, "canceled", "The caller has gone.")
	errTimeout  = New(Timeout, "timeout", "This took too long.").After(time.Second)
	errInternal = New(Internal, "internal", "Something went wrong on our side.")
)

// statusCoder is an error as go-kit knows it.
type statusCoder interface {
	error
	StatusCode() int
}

// Of returns err as an Error. A context's end is Canceled or Timeout; what has
// go-kit's StatusCode keeps it; what nobody classified is Internal. The text
// of all these is the cause that stays in the logs.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		return errCanceled.Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout.Because(err)
	}
	if e, ok := errors.AsType[statusCoder](err); ok {
		kind, text := Kind(e.StatusCode()), http.StatusText(e.StatusCode())
		if text != "" && kind >= Malformed && kind != Internal {
			return New(kind, strings.ReplaceAll(strings.ToLower(text), " ", "_"), "%s.", text).Because(err)
		}
	}
	return errInternal.Because(err)
}

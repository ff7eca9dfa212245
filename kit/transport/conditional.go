package transport

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/trellis-go/trellis/kit/fault"
)

// ETag is the entity tag of a version: "7" in quotes.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch is the version that a change is based on. A request type that has
// one refuses a request without (428); a *IfMatch may be absent.
type IfMatch struct {
	Any     bool  // "*": whatever the version is
	Version int64 // otherwise; -1 matches none
}

// Matches tells whether the present version is the one that was named.
func (m *IfMatch) Matches(version int64) bool { return m == nil || m.Any || m.Version == version }

// Missing is the error for a request that names no version.
func (IfMatch) Missing(string) error {
	return fault.New(fault.VersionMissing, "if_match_missing", "Say with If-Match which version this is based on: its ETag.")
}

// UnmarshalText reads the header's value: an entity tag, or "*".
func (m *IfMatch) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if s == "*" {
		m.Any = true
		return nil
	}
	inner, opened := strings.CutPrefix(s, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !opened || !closed || strings.Contains(inner, `"`) {
		return fault.New(fault.Malformed, "if_match_malformed", `If-Match takes one entity tag in quotes, such as "7".`)
	}
	v, err := strconv.ParseInt(inner, 10, 64)
	if err != nil || v < 0 || ETag(v) != s {
		v = -1 // a tag that was never given out matches nothing
	}
	m.Version = v
	return nil
}

// MarshalText writes the header's value.
func (m IfMatch) MarshalText() ([]byte, error) {
	if m.Any {
		return []byte("*"), nil
	}
	return []byte(ETag(m.Version)), nil
}

// Unchanged tells whether If-None-Match names the tag of what would be sent.
func Unchanged(r *http.Request, etag string) bool {
	for _, v := range r.Header["If-None-Match"] {
		for tag := range strings.SplitSeq(v, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

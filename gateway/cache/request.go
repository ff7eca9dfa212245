package cache

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// key is what a URL asks for: byte for byte, as two spellings may be two
// things to a service.
type key struct {
	service, path, query string
	marked               bool // by a question mark, though the query may be empty
}

func keyOf(u *url.URL) key {
	return key{u.Host, u.EscapedPath(), u.RawQuery, u.ForceQuery || u.RawQuery != ""}
}

// own returns the key in memory of its own, apart from the request's.
func (k key) own() key {
	return key{strings.Clone(k.service), strings.Clone(k.path), strings.Clone(k.query), k.marked}
}

func (k key) size() int64 { return int64(len(k.service) + len(k.path) + len(k.query)) }

// asked is a request that the cache may answer.
type asked struct {
	*http.Request
	key            key
	force          bool // validation, whatever is fresh
	noStore        bool
	onlyIfCached   bool
	maxAge, margin span  // how old an answer may be, and how long it must stay fresh
	since          int64 // flights that had begun when it came; -1 before that was looked up
}

// ask reads what a client says about caching. no-store forces validation like
// no-cache, and its answer is kept only if others wait for it too.
func ask(r *http.Request) *asked {
	q := &asked{Request: r, key: keyOf(r.URL), since: -1}
	if lines := r.Header["Cache-Control"]; lines != nil {
		c := parseControl(lines)
		q.force = c.noCache || c.noStore || c.maxAge.said && c.maxAge.Duration == 0
		q.noStore, q.onlyIfCached = c.noStore, c.onlyIfCached
		q.maxAge, q.margin = c.maxAge, c.minFresh
	}
	return q
}

// acceptsStale tells whether a client leaves it to the answer how old it may be.
func (q *asked) acceptsStale() bool { return !q.force && !q.maxAge.said && !q.margin.said }

// bypasses tells whether a request is for something else than a whole answer.
func bypasses(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody {
		return true
	}
	for _, name := range []string{"Range", "If-Range", "If-Match", "If-Unmodified-Since", "Upgrade"} {
		if r.Header[name] != nil {
			return true
		}
	}
	return false
}

// personal tells whether a header of a request says who the client is, and so
// can't be what an answer for all depends on.
func personal(name string) bool {
	return name == "Cookie" || name == "Forwarded" || name == "X-Forwarded-Host" || strings.HasPrefix(name, "X-User-")
}

// unconditional makes a request ask for an answer whatever the client has.
func unconditional(h http.Header) {
	delete(h, "If-None-Match")
	delete(h, "If-Modified-Since")
}

// varies tells whether an answer that depends on a header of the request can
// still be the same for several clients.
func varies(name string) bool {
	switch name {
	case "*", "Authorization", "If-None-Match", "If-Modified-Since":
		return false
	}
	return !personal(name) && !perRequest(name) && !strings.HasPrefix(name, "X-Forwarded-")
}

// normal returns the values of a header such that those which mean the same
// look the same.
func normal(values []string) string {
	if len(values) == 1 && !strings.ContainsAny(values[0], ", \t") {
		return values[0]
	}
	joined := strings.Join(values, ",")
	if strings.Contains(joined, `"`) {
		return joined
	}
	var b strings.Builder
	for part := range strings.SplitSeq(joined, ",") {
		if part = strings.Trim(part, blank); part != "" {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(part)
		}
	}
	return b.String()
}

// unmodified tells whether a client has what it would get: by entity tag,
// compared weakly, or else by date (RFC 9110, section 13.2.2).
func unmodified(client, answer http.Header) bool {
	if lines := client["If-None-Match"]; lines != nil {
		tag := answer.Get("Etag")
		for _, line := range lines {
			if strings.Trim(line, blank) == "*" || tag != "" && names(line, tag) {
				return true
			}
		}
		return false
	}
	if client["If-Modified-Since"] == nil {
		return false
	}
	since, err := http.ParseTime(client.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(answer.Get("Last-Modified"))
	return err == nil && !modified.After(since)
}

// names tells whether a list has an entity tag. A tag may have commas in it.
func names(list, tag string) bool {
	for {
		list = strings.TrimPrefix(strings.TrimLeft(list, blank+","), "W/")
		if !strings.HasPrefix(list, `"`) {
			return false
		}
		end := strings.IndexByte(list[1:], '"') + 2
		if end < 2 {
			return false
		}
		if list[:end] == strings.TrimPrefix(tag, "W/") {
			return true
		}
		list = list[end:]
	}
}

func dateOf(h http.Header) (time.Time, bool) {
	t, err := http.ParseTime(h.Get("Date"))
	return t, err == nil
}

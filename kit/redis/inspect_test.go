package redis

import (
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		info  string
		risks int
		err   string
	}{
		{"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n", 0, ""},
		{"redis_version:8.2.1\r\nredis_mode:sentinel\r\nmaxmemory:1\r\nmaxmemory_policy:volatile-ttl\r\naof_enabled:0\r\n", 2, ""},
		{"redis_version:10.0.0\r\nmaxmemory:1\r\nmaxmemory_policy:noeviction\r\n", 0, ""},
		{"redis_version:6.2.14\r\nredis_mode:standalone\r\n", 0, `is "6.2.14", and must be 7.0 or later`},
		{"redis_version:7.4.0\r\nredis_mode:cluster\r\n", 0, "a cluster's"},
		{"", 0, `is ""`},
	} {
		var s Store
		err := s.inspect(parse(tt.info))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || len(s.Risks) != tt.risks {
			t.Errorf("%q: %q, %v", tt.info, s.Risks, err)
		}
	}
}

package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Today's parameters, the OWASP Password Storage Cheat Sheet's: Argon2id with
// 19 MiB, two passes, one lane.
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
//
// The lengths are RFC 9106's recommendation (section 3.1, section 4).
var today = argon2Params{variant: "argon2id", memory: 19 << 10, passes: 2, lanes: 1, salt: 16, key: 32}

type argon2Params struct {
	variant   string
	memory    uint32 // KiB
	passes    uint32
	lanes     uint8
	salt, key int // bytes
}

func (p argon2Params) derive(password string, salt []byte) []byte {
	derive := argon2.IDKey
	if p.variant == "argon2i" {
		derive = argon2.Key
	}
	return derive([]byte(password), salt, p.passes, p.memory, p.lanes, uint32(p.key))
}

func newArgon2(password string) string {
	salt := make([]byte, today.salt)
	rand.Read(salt) // never fails, says its contract
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s",
		today.variant, argon2.Version, today.memory, today.passes, today.lanes,
		base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(today.derive(password, salt)))
}

func waste(password string) {
	today.derive(password, make([]byte, today.salt))
}

// parseArgon2 reads what follows the first "$" of a PHC string:
// argon2id$v=19$m=19456,t=2,p=1$salt$key, or the same with argon2i.
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
func parseArgon2(phc string) (hash, error) {
	fields := strings.Split(phc, "$")
	if len(fields) != 5 || fields[0] != "argon2id" && fields[0] != "argon2i" {
		return hash{}, malformed("unknown form")
	}
	if fields[1] != fmt.Sprintf("v=%d", argon2.Version) {
		return hash{}, malformed("argon2: version is not %d", argon2.Version)
	}
	p, err := parseArgon2Cost(fields[2])
	if err != nil {
		return hash{}, err
	}
	salt, err := unbase64("argon2: salt", base64.RawStdEncoding, fields[3], 8, 64)
	if err != nil {
		return hash{}, err
	}
	key, err := unbase64("argon2: key", base64.RawStdEncoding, fields[4], 16, 64)
	if err != nil {
		return hash{}, err
	}
	p.variant, p.salt, p.key = fields[0], len(salt), len(key)
	return hash{
		matches: func(password string) bool {
			return subtle.ConstantTimeCompare(p.derive(password, salt), key) == 1
		},
		current: p == today,
		quick:   p.memory*p.passes < today.memory*today.passes,
	}, nil
}

func parseArgon2Cost(text string) (argon2Params, error) {
	var cost [3]int
	most := [3]int{maxArgon2Memory, maxArgon2Work, maxArgon2Lanes}
	fields := strings.Split(text, ",")
	if len(fields) != len(cost) {
		return argon2Params{}, malformed("argon2: parameters are not m, t, p")
	}
	for i, name := range []string{"m", "t", "p"} {
		digits, ok := strings.CutPrefix(fields[i], name+"=")
		if !ok {
			return argon2Params{}, malformed("argon2: parameters are not m, t, p")
		}
		var err error
		if cost[i], err = number("argon2: "+name, digits, 1, most[i]); err != nil {
			return argon2Params{}, err
		}
	}
	m, t, p := cost[0], cost[1], cost[2]
	if m < 8*p { // RFC 9106, section 3.1
		return argon2Params{}, malformed("argon2: m is less than 8p")
	}
	if m*t > maxArgon2Work {
		return argon2Params{}, malformed("argon2: m × t is more than %d", maxArgon2Work)
	}
	return argon2Params{memory: uint32(m), passes: uint32(t), lanes: uint8(p)}, nil
}

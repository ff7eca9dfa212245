package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// hash is a parsed one, its parameters within bounds.
type hash struct {
	matches func(password string) bool
	current bool // is what newArgon2 would make
	quick   bool // costs less than a current one, see the quick… figures
}

// Bounds on what a hash string may ask for, wide enough for what Django and
// OWASP recommend and a few years more, and at most a few seconds of one core.
const (
	maxEncoded = 1024 // bytes
	maxSalt    = 256  // bytes

	maxArgon2Memory = 256 << 10 // KiB
	maxArgon2Work   = 1 << 20   // KiB × passes
	maxArgon2Lanes  = 32

	maxPBKDF2Iterations = 5_000_000

	minBcryptCost, maxBcryptCost = 4, 15

	maxScryptBlocks = 1 << 20 // N × r, of 128 bytes each
	maxScryptWork   = 1 << 22 // N × r × p
)

// Below these figures a hash costs less than a current one: about 25 ms, as
// the benchmarks measured.
const (
	quickPBKDF2 = 200_000 // iterations
	quickBcrypt = 9       // cost
	quickScrypt = 1 << 17 // N × r × p
)

func parse(encoded string) (hash, error) {
	if encoded == "" || encoded[0] == '!' {
		return hash{}, ErrUnusable
	}
	if len(encoded) > maxEncoded {
		return hash{}, malformed("longer than %d bytes", maxEncoded)
	}
	algorithm, rest, salted := strings.Cut(encoded, "$")
	switch algorithm {
	case "":
		return parseArgon2(rest)
	case "argon2":
		h, err := parseArgon2(rest)
		h.current = false
		return h, err
	case "pbkdf2_sha256", "pbkdf2_sha1":
		return parsePBKDF2(algorithm, rest)
	case "bcrypt", "bcrypt_sha256":
		return parseBcrypt(algorithm, rest)
	case "scrypt":
		return parseScrypt(rest)
	case "sha1", "md5":
		return parseDigest(algorithm, rest)
	}
	if !salted && len(encoded) == 32 {
		return parseDigest("md5", "$"+encoded)
	}
	return hash{}, malformed("unknown form")
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// number reads a decimal of lo to hi.
func number(name, digits string, lo, hi int) (int, error) {
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, malformed("%s is not a number", name)
	}
	if int(n) < lo || int(n) > hi {
		return 0, malformed("%s is not in %d..%d", name, lo, hi)
	}
	return int(n), nil
}

// unbase64 reads lo to hi bytes.
func unbase64(name string, enc *base64.Encoding, text string, lo, hi int) ([]byte, error) {
	b, err := enc.Strict().DecodeString(text)
	// The decoder skips line ends, which the lengths give away.
	if err != nil || enc.EncodedLen(len(b)) != len(text) {
		return nil, malformed("%s is not base64", name)
	}
	if len(b) < lo || len(b) > hi {
		return nil, malformed("%s is not of %d..%d bytes", name, lo, hi)
	}
	return b, nil
}
